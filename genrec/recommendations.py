"""Ranked items of many users: what every recommender gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrec.errors import DataError
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 3  # items of a list that stand in its repr


@dataclass(frozen=True, repr=False)
class Recommendations:
    """Ranked items of many users, best first.

    Attributes:
        items: ``(n_users, k)`` int32 catalogue positions; -1, only at the end, where fewer items are allowed.
        scores: ``(n_users, k)`` float32, not increasing along a row; ``-inf`` where ``items`` is -1.
        catalogue_ids: ``(n_items,)`` object array of the item ids that the positions point into.
    """

    items: np.ndarray
    scores: np.ndarray
    catalogue_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        found = (self.items >= 0).sum(axis=1)
        short = int((found < self.items.shape[1]).sum())
        note = f", {short:,} with fewer" if short else ""
        return f"Recommendations({count(len(self), 'list')} of {self.items.shape[1]}{note}{self._first()})"

    def _first(self) -> str:
        """The best items of the first user, for people."""
        ids = self.catalogue_ids[self.items[0][self.items[0] >= 0][:_SHOWN]].tolist() if len(self) else []
        if not ids:
            return ""
        more = ", ..." if (self.items[0] >= 0).sum() > _SHOWN else ""
        return f"; the first: {', '.join(map(repr, ids))}{more}"

    @property
    def item_ids(self) -> list[list[str]]:
        """Recommended ids of every user, without fillers: row ``u`` has at most ``k`` entries."""
        return [self.catalogue_ids[row[row >= 0]].tolist() for row in self.items]

    def ranks_of(self, targets: np.ndarray) -> np.ndarray:
        """Rank of one target item a user: ``(n_users,)`` int32, from 1; 0 where the target is not in the list.

        Args:
            targets: ``(n_users,)`` catalogue positions.

        >>> lists, ids = np.array([[4, 2], [1, -1]]), np.arange(5).astype(str)
        >>> Recommendations(lists, lists.astype(np.float32), ids).ranks_of(np.array([2, 3])).tolist()
        [2, 0]
        """
        targets = np.asarray(targets)
        if targets.shape != (len(self),):
            raise DataError(
                f"{count(len(self), 'list')} but targets of shape {targets.shape}.", expected="one target a list"
            )
        hits = (self.items == targets[:, None]) & (self.items >= 0)
        width = hits.shape[1]
        first = np.where(hits, np.arange(1, width + 1), width + 1).min(axis=1, initial=width + 1)
        return np.where(first > width, 0, first).astype(np.int32)

    def only(self, items: np.ndarray) -> Recommendations:
        """The same users with some of their items, best first.

        Args:
            items: ``(n_users, n)`` catalogue positions, -1 for padding.

        Raises:
            DataError: An item is not in the user's list.
        """
        n_items, rows = len(self.catalogue_ids), np.arange(len(self))[:, None]
        scores = np.full((len(self), n_items + 1), -np.inf, dtype=np.float32)
        np.put_along_axis(scores, np.where(self.items >= 0, self.items, n_items), self.scores, axis=1)
        scores[:, n_items] = -np.inf
        return Recommendations.ranked(np.asarray(items), scores[rows, items], self.catalogue_ids)

    @classmethod
    def ranked(cls, items: np.ndarray, scores: np.ndarray, catalogue_ids: np.ndarray) -> Recommendations:
        """Scored items put in order.

        Args:
            items: ``(n_users, n)`` catalogue positions, -1 for padding.
            scores: ``(n_users, n)``; -inf for an item that the user cannot get.
            catalogue_ids: ``(n_items,)`` object array.

        Raises:
            DataError: The user cannot get an item.
        """
        lost = np.argwhere((items >= 0) & np.isneginf(scores))
        if len(lost):
            user, place = lost[0]
            raise DataError(
                f"Item {catalogue_ids[items[user, place]]!r} cannot be recommended to user {user}.",
                where="items",
                expected="items that the request allows",
                hint="Items of the history are allowed with exclude_seen=False; look at allow, deny and within, too.",
            )
        scores = np.where(items >= 0, scores, -np.inf).astype(np.float32)
        order = np.argsort(-scores, axis=1, kind="stable")
        ordered = np.take_along_axis(items, order, axis=1).astype(np.int32)
        return cls(ordered, np.take_along_axis(scores, order, axis=1), catalogue_ids)

    def to_frame(self, user_ids: Sequence[str] | np.ndarray) -> pl.DataFrame:
        """Long table ``user_id, rank, item_id, score`` with ranks from 1.

        Raises:
            DataError: There are not as many user ids as lists.
        """
        import polars as pl

        if len(user_ids) != len(self):
            raise DataError(
                f"{count(len(self), 'list')} but {count(len(user_ids), 'user id')}.", expected="one user id a list"
            )
        rows, columns = np.nonzero(self.items >= 0)
        return pl.DataFrame(
            {
                Columns.User: np.asarray(user_ids, dtype=object)[rows].tolist(),
                Columns.Rank: (columns + 1).astype(np.int32),
                Columns.Item: self.catalogue_ids[self.items[rows, columns]].tolist(),
                Columns.Score: self.scores[rows, columns],
            },
            schema_overrides={Columns.User: pl.String, Columns.Item: pl.String},
        )
