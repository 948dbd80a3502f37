"""Examples of post-training: a history and the item that the user took next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.models.history_batches import HistoryExamples, UserRow
from genrec.models.outputs import UserReader


class NextItems(HistoryExamples):
    """Rows of a history of at least one item with the next one, which stands last.

    Args:
        histories: Training part only.
        max_items: Longest history that is read.
        drop: See :class:`~genrec.models.history_batches.HistoryExamples`.
        seed: Of what is dropped.
        newest: Only so many of a user's items are targets, the newest; None: all.
        repeats: Whether an item that the row holds already may be its target.

    Attributes:
        users: Number of the user of every row among the histories, ``(n_rows,)``.

    Raises:
        DataError: No user has two items, or, without repeats, two different ones.
    """

    def __init__(
        self,
        histories: Histories,
        max_items: int,
        *,
        drop: float = 0.0,
        seed: int = 0,
        newest: int | None = None,
        repeats: bool = True,
    ) -> None:
        super().__init__(histories, max_items, prefixes=True, drop=drop, seed=seed)
        keep = self.lengths >= 2
        if newest is not None:
            keep &= np.repeat(histories.offsets[1:], histories.lengths) - self.stops < newest
        if not repeats:
            keep &= ~_had(self.items, self.starts, self.stops)
        self.starts, self.stops = self.starts[keep], self.stops[keep]
        if not len(self.starts):
            what = f"There is nothing to train on: no training history has two {'' if repeats else 'different '}items."
            raise DataError(what, expected="users with a history and a next item")
        self.users = np.searchsorted(histories.offsets, self.starts, side="right") - 1

    def __getitem__(self, row: int) -> UserRow:  # type: ignore[override]
        return UserRow(int(self.users[row]), super().__getitem__(row))


class NextItemCollator:
    """Rows of :class:`NextItems` → ``inputs`` of the network's ``prefill``, ``targets``, and the ``history``.

    Args:
        read: Histories and their users → arguments of ``prefill``.
    """

    def __init__(self, read: UserReader) -> None:
        self.read = read

    def __call__(self, rows: Sequence[UserRow]) -> dict[str, Any]:
        """``targets (rows,)`` int64 and ``history (rows, longest)`` int64, -1 at padding, beside ``inputs``."""
        histories = Histories.from_lists([row.items[:-1].tolist() for row in rows])
        targets = torch.tensor([int(row.items[-1]) for row in rows])
        history = torch.from_numpy(histories.padded().astype(np.int64))
        users = np.array([row.user for row in rows], dtype=np.int64)
        return {"inputs": self.read(histories, users), "targets": targets, "history": history}


def _had(items: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Whether the last item of every row stands in the row before, ``(n_rows,)`` bool."""
    previous = np.full(len(items), -1, dtype=np.int64)  # where the same item was last, whoever had it
    order = np.argsort(items, kind="stable")
    same = items[order][1:] == items[order][:-1]
    previous[order[1:][same]] = order[:-1][same]
    return previous[stops - 1] >= starts


def histories_of(padded: torch.Tensor) -> Histories:
    """Histories from ``(rows, n)`` positions, -1 at padding."""
    rows = padded.cpu().numpy()
    lengths = (rows >= 0).sum(1)
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    return Histories(np.arange(len(rows)).astype(str).astype(object), offsets, rows[rows >= 0].astype(np.int32))
