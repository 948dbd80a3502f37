"""Sparse matrices of baselines: the newest items of users, the best entries of rows, and arrays for saving."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories


def newest(histories: Histories, last: int | None) -> Histories:
    """At most the newest ``last`` items of every user; None: all."""
    return histories if last is None else histories.last(last)


def incidence(histories: Histories, n_items: int) -> sp.csr_array:
    """Which items a user has, however often: ``(n_users, n_items)`` float64 of ones.

    >>> incidence(Histories.from_lists([[1, 1, 0]]), 3).toarray().tolist()
    [[1.0, 1.0, 0.0]]
    """
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    matrix = sp.csr_array((np.ones(len(rows)), (rows, histories.items)), shape=(len(histories), n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def ages(histories: Histories) -> tuple[np.ndarray, np.ndarray]:
    """User of every row and its age, 1 for the newest item: both ``(n_rows,)`` int64."""
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    return users, np.repeat(histories.offsets[1:], histories.lengths) - np.arange(len(histories.items))


def pack_sparse(name: str, matrix: sp.csr_array) -> dict[str, np.ndarray]:
    """A sparse matrix as named arrays; :func:`unpack_sparse` is the inverse."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
        f"{name}.shape": np.array(matrix.shape, dtype=np.int64),
    }


def unpack_sparse(name: str, tensors: Mapping[str, np.ndarray]) -> sp.csr_array:
    """The matrix that :func:`pack_sparse` took apart.

    >>> matrix = sp.csr_array(np.eye(2))
    >>> (unpack_sparse("m", pack_sparse("m", matrix)) != matrix).nnz
    0
    """
    data, indices, indptr = (tensors[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    rows, columns = tensors[f"{name}.shape"].tolist()
    matrix = sp.csr_array((data, indices, indptr), shape=(rows, columns))
    matrix.check_format(full_check=True)  # an index outside would be read outside of the memory
    return matrix


def in_single(scores: sp.csr_array) -> sp.csr_array:
    """A matrix without duplicates in float32, its entries in the order that they have.

    ``astype`` sorts the columns of every row first, which takes as long as the product that made them.
    """
    return sp.csr_array((scores.data.astype(np.float32), scores.indices, scores.indptr), shape=scores.shape)
