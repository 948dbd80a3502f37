"""The priors of one request, brought together for every batch of users."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from genrec.data.histories import Histories
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior_bounds import ItemPrior, PriorBounds, SparsePrior
from genrec.decoding.word_prior import Additions, SharedWords, WordPrior


class UserPriors:
    """Priors of many users as a search wants them: one vector for all, dense rows, sparse rows, or sums of these.

    Args:
        given: What a request brings: ``(n_items,)``, ``(n_users, n_items)``, or sparse ``(n_users, n_items)``; None:
            nothing.
        weight: Factor on ``given``.
        learned: Sparse ``(n_users, n_items)`` of the recommender's own prior, weighted; None: it has none.
        words: What words add to all this; None: nothing.
    """

    def __init__(
        self,
        given: np.ndarray | sp.sparray | None,
        weight: float = 1.0,
        learned: sp.csr_array | None = None,
        words: SharedWords | None = None,
    ) -> None:
        self._weight, self._words = weight, words
        self._sparse = learned
        self._vector: np.ndarray | None = None
        self._rows: np.ndarray | None = None
        self._bounds: tuple[DeviceTrie, PriorBounds] | None = None
        if sp.issparse(given):
            own = sp.csr_array(given) * weight
            self._sparse = own if learned is None else sp.csr_array(own + learned)
        elif given is not None and np.ndim(given) == 1:
            self._vector = np.asarray(given, dtype=np.float32)
        elif given is not None:
            self._rows = np.asarray(given)

    def of(self, trie: DeviceTrie, users: np.ndarray, seen: Histories | None = None) -> ItemPrior | None:
        """The prior of some users, None where there is none.

        Args:
            trie: What is searched.
            users: ``(n,)`` rows of the priors.
            seen: Items that these users cannot get; what a prior says of them must not lure the search.
        """
        if self._words is not None:
            return self._with_words(self._words, trie, users, seen)
        if self._rows is not None:
            if self._sparse is None:
                return PriorBounds(trie, torch.from_numpy(self._rows[users].astype(np.float32)), self._weight)
            return PriorBounds(trie, torch.from_numpy(self._sum(None, users, seen)))  # rare, so a dense sum will do
        shared = self._of_all(trie)
        if self._sparse is None:
            return shared
        row, item, score = (torch.from_numpy(one).to(trie.device) for one in entries(self._sparse[users], seen))
        return SparsePrior(trie, row, item, score, shared)

    def _with_words(
        self, words: SharedWords, trie: DeviceTrie, users: np.ndarray, seen: Histories | None
    ) -> PriorBounds | WordPrior:
        def dense() -> np.ndarray:
            return self._sum(words.rows(users), users, seen)

        if self._vector is not None or self._rows is not None:
            return PriorBounds(trie, torch.from_numpy(dense()))
        none = np.zeros(0, dtype=np.int64)
        known = (none, none, none.astype(np.float32)) if self._sparse is None else entries(self._sparse[users], seen)
        return WordPrior(trie, Additions(words.matches, words.profiles(users), words.weight, *known), dense)

    def _sum(self, words: np.ndarray | None, users: np.ndarray, seen: Histories | None) -> np.ndarray:
        """Everything added up in dense rows ``(n, n_items)``; -inf at seen items."""
        rows = np.zeros(1, dtype=np.float32) if words is None else words
        for given in (self._vector, None if self._rows is None else self._rows[users]):
            if given is not None:
                # -inf times a weight of zero would be NaN
                rows = rows + np.where(np.isneginf(given), given, given * self._weight).astype(np.float32)
        if self._sparse is not None:
            rows = rows + self._sparse[users].toarray()
        if seen is not None:
            rows[np.repeat(np.arange(len(seen)), seen.lengths), seen.items] = -np.inf
        return rows

    def _of_all(self, trie: DeviceTrie) -> PriorBounds | None:
        if self._vector is None:
            return None
        if self._bounds is None or self._bounds[0] is not trie:
            self._bounds = trie, PriorBounds(trie, torch.from_numpy(self._vector), self._weight)
        return self._bounds[1]


def entries(matrix: sp.csr_array, without: Histories | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries of a sparse matrix, each row and column once.

    Args:
        matrix: ``(n_users, n_items)``; it may be changed.
        without: Items of each user that are left out.

    Returns:
        Rows and columns, int64, and values, float32; ``(n,)`` each.
    """
    matrix.sum_duplicates()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    columns, values = matrix.indices.astype(np.int64), matrix.data.astype(np.float32)
    if without is not None:
        users = np.repeat(np.arange(len(without)), without.lengths)
        seen = users * matrix.shape[1] + without.items
        kept = ~np.isin(rows * matrix.shape[1] + columns, seen)
        rows, columns, values = rows[kept], columns[kept], values[kept]
    return rows, columns, values
