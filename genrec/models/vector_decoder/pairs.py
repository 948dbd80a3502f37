"""Item vectors from what is bought together, also as other users' histories give them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.encoders.base import normalize_rows, truncated_svd
from genrec.encoders.cooccurrence import count_pairs


def pair_vectors(histories: Histories, n_items: int, dim: int, window: int, *, seed: int = 0) -> np.ndarray:
    """Leading singular vectors of co-occurrence counts that are divided by the roots of both items' sums.

    The sums begin at 1, so that a single pair of two rare items says less than many pairs of frequent ones; positive
    pointwise mutual information says the opposite, and its vectors find the next item less often.

    Args:
        histories: Of training.
        n_items: Size of the catalogue.
        dim: Length of a vector; filled with zeros where the counts have a lower rank.
        window: Longest distance of a pair, which counts ``1 / distance``.
        seed: Of the decomposition.

    Returns:
        ``(n_items, dim)`` float32, rows of unit length; zeros for items without any pair.
    """
    counts = count_pairs(histories.items, histories.offsets, n_items, window)
    roots = sp.diags_array(1 / np.sqrt(1 + np.asarray(counts.sum(axis=1)).ravel()))
    left, values, _ = truncated_svd(sp.csr_matrix(roots @ counts @ roots), dim, seed=seed)
    vectors = normalize_rows(left * np.sqrt(values))
    return np.pad(vectors, ((0, 0), (0, dim - vectors.shape[1])))


def folds_of(n_users: int, folds: int, *, seed: int = 0) -> np.ndarray:
    """Fold of every user, ``(n_users,)`` int64, as equal in size as can be."""
    return np.random.default_rng([seed, 5]).permutation(n_users) % folds


def cross_fitted(
    histories: Histories, fold: np.ndarray, n_items: int, dim: int, window: int, *, seed: int = 0
) -> list[np.ndarray]:
    """For every fold the :func:`pair_vectors` of all users outside it.

    Args:
        histories: Of training.
        fold: ``(n_users,)`` from :func:`folds_of`.
        n_items: As in :func:`pair_vectors`, like the rest.
        dim: Length of a vector.
        window: Longest distance.
        seed: Of the decomposition.
    """
    parts = [histories.select(np.flatnonzero(fold != number)) for number in range(int(fold.max(initial=0)) + 1)]
    return [pair_vectors(part, n_items, dim, window, seed=seed) for part in parts]
