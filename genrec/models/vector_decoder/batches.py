"""Batches of :class:`~genrec.models.vector_decoder.network.VectorDecoder`: items beside codes, and whose they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from genrec.data.histories import Histories
from genrec.models.history_batches import CodeCollator, HistoryExamples, UserRow, WithItems


class UserExamples(HistoryExamples):
    """As :class:`~genrec.models.history_batches.HistoryExamples`, with the user of every row."""

    def __init__(self, histories: Histories, max_items: int, *, drop: float = 0.0, seed: int = 0) -> None:
        super().__init__(histories, max_items, drop=drop, seed=seed)
        self.users = np.searchsorted(histories.offsets, self.starts, side="right") - 1

    def __getitem__(self, row: int) -> UserRow:  # type: ignore[override]
        return UserRow(int(self.users[row]), super().__getitem__(row))


class FoldReader:
    """Histories with their users → codes, items, and the fold of every user.

    Args:
        codes: ``(n_items, n_levels)`` of the semantic index.
        fold: ``(n_users,)``.
        kept: What training keeps while there are batches.
    """

    def __init__(self, codes: np.ndarray, fold: np.ndarray, kept: object = None) -> None:
        self._items, self._fold, self.kept = WithItems(CodeCollator(codes)), fold, kept

    def __call__(self, histories: list[np.ndarray] | Histories, users: np.ndarray) -> dict[str, Any]:
        """Codes and ``items``, and ``folds (rows,)`` int64; ``users (rows,)`` are numbers of training."""
        return {**self._items(histories), "folds": torch.from_numpy(self._fold[users].astype(np.int64))}


class FoldCollator:
    """Rows with their users → codes, items, and the fold of every user.

    Args:
        read: The same for histories and their users.
    """

    def __init__(self, read: FoldReader) -> None:
        self.read = read

    def __call__(self, rows: list[UserRow]) -> dict[str, Any]:
        """As :class:`FoldReader`."""
        return self.read([row.items for row in rows], np.array([row.user for row in rows], dtype=np.int64))
