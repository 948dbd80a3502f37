"""Time between items, for networks that read it: in training from rows with times, later from histories with times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from genrec.data.histories import Histories
from genrec.data.timestamps import unit_of
from genrec.errors import DataError
from genrec.models.history_batches import HistoryExamples
from genrec.models.outputs import Reader

_PER_DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}


@dataclass(frozen=True)
class TimedRow:
    """A row of training with its times.

    Attributes:
        items: ``(n,)`` int32 catalogue positions.
        times: ``(n,)`` int64 epoch numbers.
    """

    items: np.ndarray
    times: np.ndarray


class TimedExamples(HistoryExamples):
    """As :class:`~genrec.models.history_batches.HistoryExamples`, with the time of every item.

    Raises:
        DataError: There are no times, or they are no epoch numbers.
    """

    def __init__(
        self, histories: Histories, max_items: int, *, prefixes: bool = False, drop: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(histories, max_items, prefixes=prefixes, drop=drop, seed=seed)
        if histories.timestamps is None or unit_of(histories.timestamps) is None:
            raise DataError(
                "The network reads the time between items, and there are no times.",
                where="interactions",
                expected="a timestamp column with times, not an order",
                hint="Use a preset that reads the order alone, such as item-decoder-small.",
            )
        self.times = histories.timestamps

    def __getitem__(self, row: int) -> TimedRow:  # type: ignore[override]
        places = self.places(row)
        return TimedRow(self.items[places], self.times[places])


class WithIntervals:
    """A reader that also tells the days before every item.

    Args:
        read: Histories → a batch.
    """

    def __init__(self, read: Reader) -> None:
        self.read = read

    def __call__(self, rows: list[Any] | Histories) -> dict[str, Any]:
        """What ``read`` gives, and ``days (rows, longest)`` float32; NaN where they are not known, and at padding."""
        histories = rows if isinstance(rows, Histories) else _timed(rows)
        return {**self.read(histories), "days": torch.from_numpy(days_before(histories))}


def _timed(rows: list[Any]) -> Histories:
    if not all(isinstance(row, TimedRow) for row in rows):
        return Histories.from_lists(rows)
    histories = Histories.from_lists([row.items for row in rows])
    return replace(histories, timestamps=np.concatenate([row.times for row in rows]) if rows else None)


def days_before(histories: Histories) -> np.ndarray:
    """Days from the item before to every item, ``(users, longest)`` float32, left-aligned.

    NaN for the first item of a history, at padding, and everywhere where the histories have no times.

    >>> histories = Histories.from_lists([[3, 1, 2], [4]])
    >>> times = np.array([1_700_000_000, 1_700_043_200, 1_700_043_200, 1_700_000_000])
    >>> days_before(replace(histories, timestamps=times)).tolist()
    [[nan, 0.5, 0.0], [nan, nan, nan]]
    """
    result = np.full((len(histories), int(histories.lengths.max(initial=0))), np.nan, dtype=np.float32)
    times = histories.timestamps
    unit = None if times is None else unit_of(times)
    if times is None or unit is None:
        return result
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    columns = np.arange(len(rows)) - np.repeat(histories.offsets[:-1], histories.lengths)
    later = columns > 0
    steps = np.diff(times, prepend=times[:1])[later] / _PER_DAY[unit]
    result[rows[later], columns[later]] = np.maximum(steps, 0)
    return result
