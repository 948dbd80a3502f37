"""Items to codes with room for so many each: exact for small groups, prices and rounds for large ones."""

from __future__ import annotations

from typing import Literal

import numpy as np

Method = Literal["exact", "sinkhorn"]

_CELLS = 1 << 18
"""More cells than this are not solved exactly: the exact solver needs time cubic in the rows."""


def assign(scores: np.ndarray, room: np.ndarray, method: Method = "exact") -> np.ndarray:
    """Give rows to columns so that no column gets more than it has room for and the sum of scores is large.

    ``exact`` solves the assignment problem (Crouse 2016, scipy), which is the uniform semantic mapping of a group of
    items to distinct codes (LC-Rec, arXiv 2311.09049). ``sinkhorn`` evens the columns out by entropic prices (Cuturi
    2013, arXiv 1306.0895) and hands out what has room in rounds; tables of more than 262,144 cells always go that
    way.

    Args:
        scores: ``(n, k)``, the higher the better; finite.
        room: ``(k,)`` integers, how many rows each column takes.
        method: See above.

    Returns:
        ``(n,)`` int32 columns; -1 for rows that no room is left for.

    Example:
        >>> assign(np.array([[3.0, 1.0], [2.0, 1.9]]), np.array([1, 1])).tolist()
        [0, 1]
    """
    room = np.minimum(room, len(scores))
    if method == "exact" and len(scores) * int(room.sum()) <= _CELLS:
        return _exact(scores, room)
    return spread(scores, room)


def _exact(scores: np.ndarray, room: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    columns = np.repeat(np.arange(len(room)), room)
    result = np.full(len(scores), -1, dtype=np.int32)
    rows, chosen = linear_sum_assignment(scores[:, columns], maximize=True)
    result[rows] = columns[chosen]
    return result


def spread(scores: np.ndarray, room: np.ndarray, *, steps: int = 30) -> np.ndarray:
    """Like :func:`assign`, without the guarantee of the best sum, in time and memory that grow with the table only.

    Prices turn rows away from crowded columns first. Then every row without a column asks for the best one that has
    room, and a column that more rows ask for than it has room for takes those that would lose most elsewhere, and
    closes. Each round settles all rows or closes a column, so there are at most ``k`` rounds.

    Args:
        scores: ``(n, k)``, the higher the better; finite.
        room: ``(k,)`` integers.
        steps: Of the prices.
    """
    room = np.array(room, dtype=np.int64)
    result = np.full(len(scores), -1, dtype=np.int32)
    priced = scores - _prices(scores, room, steps)
    waiting = np.arange(len(scores))
    while len(waiting) and room.any():
        offers = np.where(room > 0, priced[waiting], -np.inf)
        wanted, loss = _best_and_loss(offers)
        order = np.lexsort((-loss, wanted))
        first = np.searchsorted(wanted[order], wanted[order])
        taken = order[np.arange(len(order)) - first < room[wanted[order]]]
        result[waiting[taken]] = wanted[taken]
        room -= np.bincount(wanted[taken], minlength=len(room))
        waiting = np.delete(waiting, taken)
    return result


def _best_and_loss(offers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best column of every row, and by how much the second best is worse (infinite where there is none)."""
    rows = np.arange(len(offers))
    wanted = offers.argmax(axis=1)
    best = offers[rows, wanted]
    offers[rows, wanted] = -np.inf
    return wanted, best - offers.max(axis=1)


def _prices(scores: np.ndarray, room: np.ndarray, steps: int) -> np.ndarray:
    """``(k,)`` prices, 0 or more, under which no column is asked for by more rows (softly) than it has room for."""
    prices = np.zeros(scores.shape[1])
    spreads = np.ptp(scores, axis=1)
    temperature = 0.05 * float(np.median(spreads[spreads > 0])) if (spreads > 0).any() else 0.0
    open_ = room > 0
    if temperature <= 0 or not open_.any():
        return prices
    for _ in range(steps):
        shares = (scores[:, open_] - prices[open_]) / temperature
        shares -= shares.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=1, keepdims=True)
        load = shares.sum(axis=0, dtype=np.float64) / room[open_]
        prices[open_] = np.maximum(prices[open_] + temperature * np.log(np.maximum(load, 1e-12)), 0)
    return prices
