"""Exact top-k over a catalogue with a stated order of ties, for dense and sparse scores."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories

_MANY = 8
"""Rows with so many times more candidates than places, all but a few of them equal, are not sorted."""


def tie_order(popularity: np.ndarray) -> np.ndarray:
    """Place of every item among items of equal score: more popular first, then by catalogue position.

    Args:
        popularity: ``(n_items,)`` counts.

    Returns:
        ``(n_items,)`` int64; 0 is the item that wins every tie.

    >>> tie_order(np.array([1, 5, 1])).tolist()
    [1, 0, 2]
    """
    place = np.empty(len(popularity), dtype=np.int64)
    place[np.argsort(-np.asarray(popularity, dtype=np.float64), kind="stable")] = np.arange(len(popularity))
    return place


class TopK:
    """Takes the best ``k`` items of every row of a score matrix.

    An item is never taken twice, nor when it is seen or not allowed or its score is ``-inf`` or NaN; rows that run
    out of items end in -1.

    Args:
        k: Length of a list, at most ``n_items``.
        places: ``(n_items,)`` order of ties, see :func:`tie_order`.
        background: ``(n_items,)`` float32 score of the entries that a sparse matrix does not store; None: these
            items cannot be recommended.
        allowed: ``(n_items,)`` bool, or None for all.
    """

    def __init__(
        self, k: int, places: np.ndarray, background: np.ndarray | None = None, allowed: np.ndarray | None = None
    ) -> None:
        self.k, self.n_items = k, len(places)
        self._places, self._allowed, self._background = places, allowed, background
        self._by_place = np.argsort(places)
        order = np.zeros(0, dtype=np.int64)
        if background is not None:
            order = np.lexsort((places, -background))
            usable = background > -np.inf if allowed is None else (background > -np.inf) & allowed
            order = order[usable[order]]
        self._order = order  # background items, best first
        self._order_place = np.full(self.n_items, self.n_items, dtype=np.int64)
        self._order_place[order] = np.arange(len(order))

    def __call__(self, scores: np.ndarray | sp.sparray, seen: Histories | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rank.

        Args:
            scores: ``(n_users, n_items)``, dense or sparse. Of a sparse matrix the stored entries (zeros too) are
                scores; the others have the background's score.
            seen: Items that each row must not get; None: every item may be taken.

        Returns:
            ``items (n_users, k)`` int32, -1 at the end, and ``scores (n_users, k)`` float32, ``-inf`` there.
        """
        rows = np.zeros(0, dtype=np.int64)
        items = np.zeros(0, dtype=np.int64)
        if seen is not None:
            rows = np.repeat(np.arange(len(seen)), seen.lengths)
            items = seen.items.astype(np.int64)
        if isinstance(scores, np.ndarray):
            return self._dense(scores, rows, items)
        return self._sparse(sp.csr_array(scores), rows, items)

    def _dense(self, scores: np.ndarray, rows: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ranked = np.array(scores, dtype=np.float32)
        if np.isnan(ranked.max(initial=-np.inf)):
            ranked[np.isnan(ranked)] = -np.inf
        ranked[rows, items] = -np.inf
        if self._allowed is not None:
            ranked[:, ~self._allowed] = -np.inf
        cut = self.n_items - self.k
        bound = np.partition(ranked, cut, axis=1)[:, cut, None]
        near = (ranked >= bound) & (ranked > -np.inf)
        crowded = np.flatnonzero(near.sum(axis=1) > _MANY * self.k)
        near[crowded] = False
        at, item = np.nonzero(near)
        best = self._best(at, item, ranked[at, item], len(ranked))
        if len(crowded):
            best[0][crowded], best[1][crowded] = self._many_ties(ranked[crowded], bound[crowded])
        return best

    def _many_ties(self, scores: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best of rows of which many items share the last value that gets in, without sorting those."""
        ranked = scores[:, self._by_place]  # ties now resolve by column
        above, level = ranked > bound, ranked == bound
        room = self.k - above.sum(axis=1, keepdims=True)
        taken = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= room))
        columns = np.nonzero(taken)[1].reshape(len(ranked), self.k)
        values = np.take_along_axis(ranked, columns, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        values = np.take_along_axis(values, order, axis=1)
        chosen = self._by_place[np.take_along_axis(columns, order, axis=1)]
        return np.where(values > -np.inf, chosen, -1).astype(np.int32), values

    def _sparse(self, stored: sp.csr_array, rows: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_users = stored.shape[0]
        at = np.repeat(np.arange(n_users), np.diff(stored.indptr))
        item, value = stored.indices.astype(np.int64), stored.data.astype(np.float32)
        usable = ~contains(rows * self.n_items + items, at * self.n_items + item) & (value > -np.inf)
        if self._allowed is not None:
            usable &= self._allowed[item]
        kept = np.flatnonzero(usable)
        kept = kept[near_top(at[kept], value[kept], self.k, n_users)]
        best = self._best(at[kept], item[kept], value[kept], n_users)
        if not len(self._order):
            return best
        last = best[1][:, -1]  # -inf where the row is not full
        short = np.flatnonzero(last <= self._background_best)
        if len(short):
            blocked_at, blocked = np.r_[at, rows], np.r_[item, items]
            more_at, more = self._fill(short, blocked_at, blocked, n_users)
            kept_at, kept = np.nonzero(best[0][short] >= 0)
            merged = self._best(
                np.r_[kept_at, more_at],
                np.r_[best[0][short][kept_at, kept].astype(np.int64), more],
                np.r_[best[1][short][kept_at, kept], self._scores_of(more)],
                len(short),
            )
            best[0][short], best[1][short] = merged
        return best

    @property
    def _background_best(self) -> np.float32:
        return self._scores_of(self._order[:1])[0]

    def _scores_of(self, items: np.ndarray) -> np.ndarray:
        background = np.zeros(0, np.float32) if self._background is None else self._background
        return background[items].astype(np.float32)

    def _best(self, at: np.ndarray, item: np.ndarray, value: np.ndarray, n_users: int) -> tuple[np.ndarray, np.ndarray]:
        """The first ``k`` of every row by score, then by the order of ties."""
        items = np.full((n_users, self.k), -1, dtype=np.int32)
        values = np.full((n_users, self.k), -np.inf, dtype=np.float32)
        by = np.lexsort((self._places[item], -value, at))
        at, item, value = at[by], item[by], value[by]
        column = np.arange(len(at)) - np.searchsorted(at, np.arange(n_users))[at]
        keep = column < self.k
        items[at[keep], column[keep]] = item[keep]
        values[at[keep], column[keep]] = value[keep]
        return items, values

    def _fill(
        self, short: np.ndarray, blocked_at: np.ndarray, blocked: np.ndarray, n_users: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best ``k`` background items of the rows ``short`` that are not blocked: row numbers in it, and items."""
        local = np.full(n_users, -1, dtype=np.int64)
        local[short] = np.arange(len(short))
        mine = local[blocked_at] >= 0
        at, place = local[blocked_at[mine]], self._order_place[blocked[mine]]
        width = min(len(self._order), self.k + int(np.bincount(at, minlength=1).max(initial=0)))
        free = np.ones((len(short), width), dtype=bool)
        inside = place < width
        free[at[inside], place[inside]] = False
        free &= np.cumsum(free, axis=1, dtype=np.int32) <= self.k
        rows, places = np.nonzero(free)
        return rows, self._order[places]


def near_top(at: np.ndarray, value: np.ndarray, k: int, n_users: int) -> np.ndarray:
    """Entries that reach the ``k``-th best value of their row (ties included), so that few remain to be sorted.

    Args:
        at: ``(n,)`` row of every entry, not decreasing.
        value: ``(n,)`` float32.
        k: Length of a list.
        n_users: Number of rows.

    Returns:
        ``(n,)`` bool.
    """
    lengths = np.bincount(at, minlength=n_users)
    starts = np.cumsum(lengths) - lengths
    bounds = np.full(n_users, -np.inf, dtype=np.float32)
    long = np.flatnonzero(lengths > k)
    for rows in np.array_split(long[np.argsort(lengths[long])], max(1, len(long) // 64)):  # rows of like length
        if len(rows):
            width = int(lengths[rows].max())
            column = np.arange(width)
            entry = np.minimum(starts[rows, None] + column, len(value) - 1)
            table = np.where(column < lengths[rows, None], value[entry], np.float32(-np.inf))
            bounds[rows] = np.partition(table, width - k, axis=1)[:, width - k]
    return np.asarray(value >= bounds[at])


def contains(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """For every key, whether it is among the known ones."""
    if not len(known):
        return np.zeros(keys.shape, dtype=bool)
    known = np.sort(known)
    where = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return known[where] == keys
