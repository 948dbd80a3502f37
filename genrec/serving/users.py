"""What users had: a table that was there at the start, and events that came since."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genrec.data.histories import Histories
from genrec.data.interactions import Interactions


@dataclass(frozen=True)
class KnownUsers:
    """A table of histories over one version of a catalogue.

    Attributes:
        histories: Of all users.
        rows: Row of every user.
    """

    histories: Histories
    rows: dict[str, int]

    @classmethod
    def of(cls, table: Interactions, item_ids: np.ndarray) -> KnownUsers:
        """The histories of a table in positions of a catalogue.

        Raises:
            DataError: The catalogue has none, or too few, of the items of the table.
        """
        histories = table.histories(item_ids)
        return cls(histories, {user: row for row, user in enumerate(histories.user_ids.tolist())})

    def items(self, user: str) -> np.ndarray | None:
        """Positions of a user's items, oldest first; None: nobody of this name."""
        row = self.rows.get(user)
        return None if row is None else self.histories[row]


class Events:
    """What users did since the start, in memory: the newest items of the users who came last.

    Args:
        users: That are remembered at most.
        items: That are remembered of a user at most.
    """

    def __init__(self, users: int, items: int) -> None:
        self._users, self._items = users, items
        self._of: OrderedDict[str, deque[str]] = OrderedDict()
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._of)

    def add(self, user: str, items: Sequence[str]) -> int:
        """Append items, oldest first; how many are now remembered of the user."""
        with self._turn:
            known = self._of.get(user)
            if known is None:
                known = self._of[user] = deque(maxlen=self._items)
            known.extend(items)
            self._of.move_to_end(user)
            while len(self._of) > self._users:
                self._of.popitem(last=False)
            return len(known)

    def of(self, user: str) -> list[str] | None:
        """Item ids, oldest first; None: nothing is known."""
        with self._turn:
            known = self._of.get(user)
            return None if known is None else list(known)


def history_of(
    user: str, table: KnownUsers | None, events: Events, positions: Mapping[str, int], last: int
) -> tuple[np.ndarray, list[str]] | None:
    """A user's whole history.

    Args:
        user: Who.
        table: What was there at the start.
        events: What came since.
        positions: Of the catalogue.
        last: Newest items that are read.

    Returns:
        Positions ``(n,)`` int32, oldest first, and ids of events that the catalogue does not have; None: nobody of this
        name.
    """
    before = None if table is None else table.items(user)
    since = events.of(user)
    if before is None and since is None:
        return None
    found = [positions.get(item) for item in since or ()]
    unknown = [item for item, position in zip(since or (), found, strict=True) if position is None]
    known = np.array([position for position in found if position is not None], dtype=np.int32)
    whole = known if before is None else np.concatenate([before, known])
    again = np.r_[False, whole[1:] == whole[:-1]] if len(whole) else np.zeros(0, dtype=bool)  # as tables are read
    return whole[~again][-last:], unknown
