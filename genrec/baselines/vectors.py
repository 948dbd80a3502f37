"""Item vectors in baselines: checks, unit length, and products that do not depend on how they are cut."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.quantizers.base import check_vectors
from genrec.wording import count

_CELLS = 1 << 25


def item_vectors(vectors: np.ndarray | None, n_items: int, name: str) -> np.ndarray:
    """The vectors that a baseline was given, ``(n_items, dim)`` float32.

    Raises:
        DataError: They are missing, of another number of items, or not finite.
    """
    if vectors is None:
        raise DataError(
            f"The baseline '{name}' needs item vectors.",
            expected=f"vectors of shape ({n_items}, dim)",
            hint="Evaluate it beside a recommender with an index, or fit it with genrec baseline, which encodes "
            "the items (vectors=... in Python).",
        )
    vectors = np.asarray(vectors)
    check_vectors(vectors)
    if len(vectors) != n_items:
        raise DataError(
            f"{count(len(vectors), 'item vector')} for {count(n_items, 'item')}.",
            where=f"baseline '{name}'",
            expected="one vector an item, in the order of the catalogue",
        )
    return vectors.astype(np.float32, copy=False)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one, float32; rows of zeros stay zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    wide = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0).astype(np.float32)


def profiles(histories: Histories, vectors: np.ndarray) -> np.ndarray:
    """Mean vector of every user's items, ``(n_users, dim)`` float64; zeros for users without items."""
    weights = np.repeat(1.0 / np.maximum(histories.lengths, 1), histories.lengths)
    shape = (len(histories), len(vectors))
    return np.asarray(sp.csr_array((weights, histories.items, histories.offsets), shape=shape) @ vectors)


def products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Inner products of all pairs of rows, ``(n, dim), (m, dim) -> (n, m)`` float32.

    They are summed in double precision: float32 sums differ in their last bits with the number of rows, so that equal
    vectors would not tie and a user's result would depend on the batch.
    """
    result = np.empty((len(left), len(right)), dtype=np.float32)
    wide = np.asarray(left, dtype=np.float64)
    size = max(1, _CELLS // max(1, len(left), right.shape[1]))
    for start in range(0, len(right), size):
        result[:, start : start + size] = wide @ right[start : start + size].astype(np.float64).T
    return result
