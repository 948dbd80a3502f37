"""What the batches of an evaluation add up to."""

from __future__ import annotations

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.evaluation.beyond import ItemFacts, ListFigures, id_numbers, id_ranks
from genrec.metrics import gini
from genrec.recommender import Recommendations
from genrec.wording import count

_NARROW = 64
"""Columns that are compared with one another; rows of more are sorted, which costs as much at a hundred."""


class Tally:
    """Ranks, exposure, validity and figures beyond accuracy, collected batch by batch.

    Args:
        n_cases: Number of cases.
        n_items: Size of the catalogue.
        ks: Cut-offs, increasing.
        facts: Of the items.
    """

    def __init__(self, n_cases: int, n_items: int, ks: tuple[int, ...], facts: ItemFacts) -> None:
        self.ks, self.n_items = ks, n_items
        self.ranks = np.zeros(n_cases, dtype=np.int32)
        self.exposure = np.zeros((n_items, len(ks)), dtype=np.int64)  # among the first k, for every k
        self.seconds = 0.0
        self.short_users = self.missing = 0
        self.figures: dict[str, np.ndarray] = {}
        self.id_ranks = None if facts.codes is None else np.zeros(n_cases, dtype=np.int32)
        self._numbers = None if facts.codes is None else id_numbers(facts.codes)
        self._lists = ListFigures(facts, ks)
        self._entries = self._wrong = 0

    def add(
        self,
        batch: np.ndarray,
        lists: Recommendations,
        targets: np.ndarray,
        histories: Histories,
        *,
        seen_allowed: bool,
    ) -> None:
        """Count a batch.

        Args:
            batch: ``(n,)`` numbers of its cases.
            lists: What was recommended.
            targets: ``(n,)`` positions.
            histories: ``n`` histories.
            seen_allowed: Whether seen items may be recommended.
        """
        if len(lists) != len(batch):
            raise DataError(f"The recommender gave {count(len(lists), 'list')} for {count(len(batch), 'history')}.")
        items = lists.items[:, : self.ks[-1]]
        wrong = wrong_entries(items, self.n_items, None if seen_allowed else histories)
        lengths = (items >= 0).sum(axis=1)
        self._entries += int(lengths.sum())
        self._wrong += int(wrong.sum())
        self.short_users += int((lengths < self.ks[-1]).sum())
        self.missing += int((self.ks[-1] - lengths).sum())
        self.ranks[batch] = lists.ranks_of(targets)
        items = np.where((items >= 0) & (items < self.n_items), items, -1)
        for number, k in enumerate(self.ks):
            shown = items[:, :k]
            self.exposure[:, number] += np.bincount(shown[shown >= 0], minlength=self.n_items)
        if self.id_ranks is not None and self._numbers is not None:
            self.id_ranks[batch] = id_ranks(items, targets, self._numbers)
        for name, values in self._lists(items, histories).items():
            if name not in self.figures:
                self.figures[name] = np.full(len(self.ranks), np.nan, dtype=np.float32)
            self.figures[name][batch] = values

    @property
    def valid(self) -> float:
        """Share of entries that may be there; NaN where nothing was recommended."""
        return 1.0 - self._wrong / self._entries if self._entries else float("nan")

    def spread(self) -> dict[str, float]:
        """``coverage@k``, the share of the catalogue that was shown at all, and ``gini@k`` of how often items were."""
        figures: dict[str, float] = {}
        for number, k in enumerate(self.ks):
            shown = self.exposure[:, number]
            figures |= {f"coverage@{k}": float((shown > 0).mean()), f"gini@{k}": gini(shown)}
        return figures


def wrong_entries(items: np.ndarray, n_items: int, seen: Histories | None) -> np.ndarray:
    """Entries that must not be there, ``(n, k)`` bool: no catalogue item, after a gap, a duplicate, or seen.

    Args:
        items: ``(n, k)`` recommended positions.
        n_items: Size of the catalogue.
        seen: Items that may not be recommended to each row, or None.
    """
    filled = items >= 0
    wrong = (items < -1) | (items >= n_items) | (filled & (np.cumsum(~filled, axis=1) > 0))
    wrong |= again(items)
    if seen is not None and len(seen.items):
        keys = np.repeat(np.arange(len(seen)), seen.lengths) * n_items + seen.items
        wrong |= filled & np.isin(np.arange(len(items))[:, None] * n_items + items, keys)
    return wrong


def again(items: np.ndarray) -> np.ndarray:
    """Items that stand further ahead in their row, too, ``(n, k)`` bool; gaps are none.

    >>> again(np.array([[4, 2, 4, -1, -1, 4]])).tolist()
    [[False, False, True, False, False, True]]
    """
    repeats = np.zeros(items.shape, dtype=np.bool_)
    if items.shape[1] <= _NARROW:
        for shift in range(1, items.shape[1]):
            repeats[:, shift:] |= items[:, shift:] == items[:, :-shift]
        return repeats & (items >= 0)
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    np.put_along_axis(repeats, order[:, 1:], (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0), axis=1)
    return repeats
