"""Neighbours of items by Swing: two users who share two items say more of these the less else they share."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories


def swing_neighbours(
    histories: Histories, n_items: int, k: int, *, alpha: float = 1.0, most_users: int = 200, seed: int = 0
) -> np.ndarray:
    """The best neighbours of every item, ``(n_items, k)`` int64, best first; -1 where there are fewer.

    ``score(i, j) = sum over pairs of users who have both of 1 / (alpha + items that the pair shares)`` (Yang et al.
    2020, arXiv 2010.05525, without their weights of users).

    Args:
        histories: Training part only.
        n_items: Of the catalogue.
        k: How many.
        alpha: See above.
        most_users: An item that more users have counts for so many of them alone, drawn at random.
        seed: Of that.
    """
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    pairs = np.unique(np.column_stack([histories.items, users]), axis=0)  # sorted by item
    turn = np.random.default_rng(seed).permutation(len(histories))  # one for all items, so that pairs stay pairs
    pairs = pairs[np.lexsort([turn[pairs[:, 1]], pairs[:, 0]])]
    first = np.searchsorted(pairs[:, 0], pairs[:, 0])
    pairs = pairs[np.arange(len(pairs)) - first < most_users]
    has = sp.csr_array(
        (np.ones(len(pairs), dtype=np.float32), (pairs[:, 1], pairs[:, 0])), shape=(len(histories), n_items)
    )
    shared = sp.triu(has @ has.T, k=1).tocoo()
    enough = shared.data >= 2  # who share one item alone connect it to nothing
    left, right, count = shared.row[enough], shared.col[enough], shared.data[enough]
    both = has[left].multiply(has[right]).tocsr()  # (pairs of users, items)
    scores = sp.csr_array(both.T @ sp.diags_array(1 / (alpha + count)) @ both)
    scores.setdiag(0)
    scores.eliminate_zeros()
    return _best(scores, k)


def _best(scores: sp.csr_array, k: int) -> np.ndarray:
    """Columns of the largest entries of every row; of equals, the first."""
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort([scores.indices, -scores.data, rows])
    rows, columns = rows[order], scores.indices[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    found = np.full((scores.shape[0], k), -1, dtype=np.int64)
    kept = place < k
    found[rows[kept], place[kept]] = columns[kept]
    return found
