"""Sorting and comparing millions of rows as plain integer arrays."""

from __future__ import annotations

import numpy as np


def sort_rows(users: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """Sort rows by user, then by time, then by their place: ``(n_rows,)`` int64 indices.

    Args:
        users: ``(n_rows,)`` int32 from 0.
        order: ``(n_rows,)`` int64 or float64 times, or None for the place alone.
    """
    if order is None:
        return stable_order(users)
    if not np.issubdtype(order.dtype, np.integer):
        return np.lexsort((order, users))
    low, high = int(order.min()), int(order.max())
    span = high - low + 1
    if span * (int(users.max()) + 1) >= 2**63:
        return np.lexsort((order, users))
    # one key is several times faster than a lexicographic sort
    key = users.astype(np.int64)
    key *= span
    key += order
    key -= low
    if (key[1:] >= key[:-1]).all():
        return np.arange(len(key))
    return stable_order(key)


def stable_order(key: np.ndarray) -> np.ndarray:
    """Rows by an integer key, equal keys by their place, ``(n_rows,)`` int64.

    As ``np.argsort(key, kind="stable")``. NumPy's sort that is not stable takes half as long, so ties are put in order
    after it.
    """
    order = np.argsort(key)
    ordered = np.sort(key)  # faster than key[order]
    like_next = ordered[1:] == ordered[:-1]
    del ordered
    if like_next.any():
        new_run = np.r_[True, ~like_next]
        rows = np.flatnonzero(np.r_[like_next, False] | ~new_run)
        run = np.cumsum(new_run[rows])
        order[rows] = np.sort(run * len(key) + order[rows]) % len(key)
    return order


def distinct(values: np.ndarray) -> np.ndarray:
    """Distinct integers in ascending order, as ``np.unique``, which hashes them and takes many times as long."""
    ordered = np.sort(values, axis=None)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)]]


def counters(users: np.ndarray) -> np.ndarray:
    """1, 2, 3, ... inside each user, ``(n_rows,)`` int64, for rows that are grouped by user."""
    starts = np.flatnonzero(np.r_[True, users[1:] != users[:-1]])[: len(users)]
    lengths = np.diff(np.r_[starts, len(users)])
    return np.arange(1, len(users) + 1) - np.repeat(starts, lengths)


def same_as_previous(items: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Rows with the item of the row before, of the same user: ``(n_rows,)`` bool."""
    return np.r_[False, (items[1:] == items[:-1]) & (users[1:] == users[:-1])][: len(items)]


def repeated_rows(users: np.ndarray, items: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows with the user, item and time of an earlier row, ``(n_rows,)`` bool; rows are sorted by user and time."""
    tied = tied_rows(users, order)
    result = np.zeros(len(items), dtype=bool)
    rows = np.flatnonzero(tied)
    if not len(rows):
        return result
    new_group = np.r_[True, (users[rows][1:] != users[rows][:-1]) | (order[rows][1:] != order[rows][:-1])]
    key = np.cumsum(new_group) * (int(items.max()) + 1) + items[rows]
    by_key = np.argsort(key, kind="stable")
    same = key[by_key][1:] == key[by_key][:-1]
    result[rows[by_key[1:][same]]] = True
    return result


def tied_rows(users: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows that share user and time with a neighbour, ``(n_rows,)`` bool; rows are sorted by user and time."""
    like_next = (users[1:] == users[:-1]) & (order[1:] == order[:-1])
    return np.r_[like_next, False][: len(users)] | np.r_[False, like_next][: len(users)]
