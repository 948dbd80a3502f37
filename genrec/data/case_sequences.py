"""Interactions from official cases: rows of a history and what came next, put together to one sequence a user."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from genrec.data.split import EvaluationSet
from genrec.schema import Columns

PART = "part"
"""Column that names the part of every interaction."""
_LEARNED = "train"


def interactions_from_cases(parts: Mapping[str, EvaluationSet], item_ids: np.ndarray) -> pl.DataFrame:
    """The interactions that cases were cut from, each with the part of the case that asks for it.

    The cases of a user are joined where the end of one history is the beginning of another, also where histories were
    cut to their newest items. What is in histories alone was there to learn from, so it belongs to ``train``. Cases of
    a user that have no item in common become users of their own, ``NAME#2`` and so on.

    Args:
        parts: Cases of ``train``, ``validation`` and ``test``, or some of these, in the order of time.
        item_ids: ``(n_items,)`` the catalogue that the cases point into.

    Returns:
        ``user_id``, ``item_id``, ``timestamp`` (the place in the user's sequence) and ``part``.

    Example:
        >>> from genrec.data.histories import Histories
        >>> cases = {"train": EvaluationSet(Histories.from_lists([[0], [0, 1]], ["u", "u"]), np.array([1, 2]))}
        >>> interactions_from_cases(cases, np.array(["a", "b", "c"])).rows()
        [('u', 'a', 0, 'train'), ('u', 'b', 1, 'train'), ('u', 'c', 2, 'train')]
    """
    users: dict[str, list[_Sequence]] = {}
    for part, cases in parts.items():
        order = np.argsort(cases.histories.lengths, kind="stable")
        for row in order.tolist():
            own = users.setdefault(str(cases.histories.user_ids[row]), [])
            history, target = cases.histories[row].tolist(), int(cases.targets[row])
            if not any(sequence.takes(history, target, part) for sequence in reversed(own)):
                own.append(_Sequence(history, target, part))
    rows = [
        (f"{user}#{number}" if number > 1 else user, str(item_ids[item]), place, part)
        for user, sequences in users.items()
        for number, sequence in enumerate(sequences, start=1)
        for place, (item, part) in enumerate(zip(sequence.items, sequence.parts, strict=True))
    ]
    return pl.DataFrame(rows, schema=[Columns.User, Columns.Item, Columns.Timestamp, PART], orient="row")


class _Sequence:
    """What is known of a user's items, in order, and the part of each."""

    def __init__(self, history: list[int], target: int, part: str) -> None:
        self.items = [*history, target]
        self.parts = [*([_LEARNED] * len(history)), part]

    def takes(self, history: list[int], target: int, part: str) -> bool:
        """Add a case that continues this sequence or is in it; whether it does."""
        items, n = self.items, len(history)
        case = [*history, target]
        if items[-n:] == history:
            self.items.append(target)
            self.parts.append(part)
            return True
        for start in range(len(items) - n):  # the case again, or a longer history was there before it
            if items[start : start + n + 1] == case:
                self.parts[start + n] = part if self.parts[start + n] == _LEARNED else self.parts[start + n]
                return True
        overlap = next((m for m in range(min(n, len(items)), 0, -1) if items[-m:] == history[:m]), 0)
        if not overlap:
            return False
        self.items += [*history[overlap:], target]
        self.parts += [*([_LEARNED] * (n - overlap)), part]
        return True
