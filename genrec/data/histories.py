"""Users' item sequences as flat arrays: what every model, baseline and metric works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genrec.data.signs import mended
from genrec.errors import DataError
from genrec.wording import count


@dataclass(frozen=True, repr=False)
class Histories:
    """Item sequences of many users, oldest first, stored end to end.

    Attributes:
        user_ids: ``(n_users,)`` object array of str.
        offsets: ``(n_users + 1,)`` int64; user ``u`` owns rows ``offsets[u]:offsets[u + 1]``.
        items: ``(n_rows,)`` int32 positions in the catalogue.
        timestamps: ``(n_rows,)`` int64 aligned with ``items``, or None where only the order is known.
    """

    user_ids: np.ndarray
    offsets: np.ndarray
    items: np.ndarray
    timestamps: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        lengths = f", {self.lengths.min()} to {self.lengths.max()} each" if len(self) else ""
        return f"Histories({count(len(self), 'user')}, {count(len(self.items), 'item')}{lengths})"

    def __getitem__(self, user: int) -> np.ndarray:
        """Items of one user, ``(length,)`` int32."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[user] for user in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """Number of items of every user, ``(n_users,)`` int64."""
        return np.diff(self.offsets)

    @classmethod
    def from_lists(
        cls, sequences: Sequence[Sequence[int] | np.ndarray], user_ids: Sequence[str] | None = None
    ) -> Histories:
        """Build from lists of catalogue positions; users are numbered when no ids are given.

        >>> Histories.from_lists([[3, 1], [2]]).lengths.tolist()
        [2, 1]
        """
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        ids = [str(n) for n in range(len(sequences))] if user_ids is None else [_id(one) for one in user_ids]
        if len(ids) != len(sequences):
            raise DataError(f"{count(len(sequences), 'history')} but {count(len(ids), 'user id')}.")
        items = np.concatenate([np.asarray(s, dtype=np.int32) for s in sequences]) if len(sequences) else np.zeros(0)
        return cls(np.array(ids, dtype=object), np.r_[0, np.cumsum(lengths)].astype(np.int64), items.astype(np.int32))

    def select(self, users: np.ndarray) -> Histories:
        """The histories of some users (``(n,)`` indices or boolean mask), in the order given."""
        users = np.flatnonzero(users) if np.asarray(users).dtype == bool else np.asarray(users, dtype=np.int64)
        return self.cut(self.offsets[users], self.offsets[users + 1], users)

    def last(self, n: int) -> Histories:
        """At most the newest ``n`` items of every user."""
        return self.cut(np.maximum(self.offsets[1:] - n, self.offsets[:-1]), self.offsets[1:])

    def without_last(self, n: int) -> Histories:
        """All but the newest ``n`` items of every user."""
        return self.cut(self.offsets[:-1], np.maximum(self.offsets[1:] - n, self.offsets[:-1]))

    def held_out(self, n: int) -> Histories:
        """Users with more than ``n`` items, without their newest ``n``: nobody has nothing."""
        return self.without_last(n).select(self.lengths > n) if n else self

    def take(self, rows: np.ndarray) -> Histories:
        """Only some rows, ``(n_rows,)`` bool; all users stay, perhaps with nothing."""
        before = np.r_[0, np.cumsum(rows)].astype(np.int64)
        times = None if self.timestamps is None else self.timestamps[rows]
        return Histories(self.user_ids, before[self.offsets], self.items[rows], times)

    def cut(self, starts: np.ndarray, stops: np.ndarray, users: np.ndarray | None = None) -> Histories:
        """Histories that are pieces of these rows.

        Args:
            starts: ``(n,)`` first row of each piece.
            stops: ``(n,)`` row after its last one.
            users: ``(n,)`` users that the pieces belong to; None: one piece for every user.
        """
        lengths = stops - starts
        offsets = np.r_[0, np.cumsum(lengths)].astype(np.int64)
        rows = self._rows(starts, stops, offsets)
        times = None if self.timestamps is None else self.timestamps[rows]
        ids = self.user_ids if users is None else self.user_ids[users]
        return Histories(ids, offsets, self.items[rows], times)

    def _rows(self, starts: np.ndarray, stops: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Rows of pieces, ``(n,)`` int64; a mask ``(n_rows,)`` bool where they come in order and are not few."""
        many = offsets[-1] * 4 > len(self.items)
        if many and (starts[1:] >= stops[:-1]).all() and (stops >= starts).all():
            borders = np.r_[0, np.column_stack([starts, stops]).ravel(), len(self.items)]
            return np.repeat(np.arange(len(borders) - 1) % 2 == 1, np.diff(borders))
        return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], stops - starts)

    def padded(self, length: int | None = None, *, pad: int = -1) -> np.ndarray:
        """The newest ``length`` items of every user, left-aligned: ``(n_users, length)`` int32, ``pad`` at the end."""
        width = int(self.lengths.max(initial=0)) if length is None else length
        cut = self.last(width)
        result = np.full((len(self), width), pad, dtype=np.int32)
        rows = np.repeat(np.arange(len(self)), cut.lengths)
        columns = np.arange(len(cut.items)) - np.repeat(cut.offsets[:-1], cut.lengths)
        result[rows, columns] = cut.items
        return result


def _id(value: str) -> str:
    """An id that a table can hold."""
    return mended(value) if isinstance(value, str) else value


def none_longer(hold_out: int) -> DataError:
    """What is said where holding items out leaves nobody."""
    return DataError(
        f"No history has more than {count(hold_out, 'item')}.", where="--hold-out", hint="Hold fewer items out."
    )
