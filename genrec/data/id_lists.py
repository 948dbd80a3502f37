"""Item ids as people write them, turned into catalogue positions; what is no list of ids is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genrec.data.interactions import Interactions
from genrec.errors import DataError
from genrec.wording import count

_ONE_USER = 'For one user, give a list in a list: [["id", "another"]].'


def positions_of_lists(sequences: Iterable[Iterable[str]], positions: Mapping[str, int]) -> list[list[int]]:
    """Catalogue positions of the items of many users.

    Args:
        sequences: One ordered list of item ids a user, of any kind that can be read in order: lists, tuples, arrays,
            columns of a table.
        positions: Catalogue position of every item id.

    Raises:
        DataError: Something is no list, has no order, holds what is no id, or names an item that does not exist.

    >>> positions_of_lists([["b", "a"], []], {"a": 0, "b": 1})
    [[1, 0], []]
    """
    found = []
    for user, sequence in enumerate(_users(sequences)):
        where = f"history {user}"
        found.append(_positions(_ordered(sequence, where), positions, where))
    return found


def positions_of_set(items: Iterable[str], positions: Mapping[str, int], where: str) -> list[int]:
    """Catalogue positions of a collection of item ids, in no order that means anything.

    Args:
        items: Item ids, one of them not being enough: a text is no collection.
        positions: Catalogue position of every item id.
        where: What the collection is, for messages, such as ``deny``.

    Raises:
        DataError: It is no collection, holds what is no id, or names an item that does not exist.
    """
    return _positions(
        listed(items, where, "item ids", "Give a list of ids, such as ['id', 'another']."), positions, where
    )


def listed(values: Any, where: str, expected: str, hint: str | None = None) -> Any:
    """Values as something with a length that can be read again and again.

    Args:
        values: What was given.
        where: What it is given as, for messages.
        expected: What would be right.
        hint: What to do.

    Raises:
        DataError: They are a text, a mapping, a table, or nothing that can be read one by one.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable) or _is_table(values):
        raise DataError(f"This is {_named(values)}.", where=where, expected=expected, hint=hint)
    return values if hasattr(values, "__len__") else list(values)


def as_numbers(values: Any, where: str) -> np.ndarray:
    """Values as an array of numbers.

    Raises:
        DataError: They are something else.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise DataError(f"These are no numbers: {_named(values)}.", where=where, expected="one number an item")
    return array


def _users(sequences: Any) -> Iterator[Any]:
    if isinstance(sequences, Interactions):
        raise DataError(
            "Interactions are no histories yet: they know other positions than the recommender's catalogue.",
            where="histories",
            hint="Give interactions.histories(recommender.item_ids).",
        )
    if _is_table(sequences) and hasattr(sequences, "columns"):
        raise DataError(
            f"This is {_named(sequences)}.",
            where="histories",
            expected="one list of item ids a user",
            hint="Make histories of a table of interactions: "
            "genrec.Interactions.from_frame(table).histories(recommender.item_ids).",
        )
    if isinstance(sequences, set | frozenset):
        raise DataError("A set of histories has no order, so that lists could not be told apart.", where="histories")
    return iter(listed(sequences, "histories", "one list of item ids a user", _ONE_USER))


def _ordered(sequence: Any, where: str) -> Sequence[Any] | np.ndarray:
    if isinstance(sequence, set | frozenset):
        raise DataError("A set has no order, and a history is read oldest item first.", where=where, expected="a list")
    return listed(sequence, where, "a list of item ids, oldest first", _ONE_USER)


def _positions(ids: Any, positions: Mapping[str, int], where: str) -> list[int]:
    try:
        return [positions[item] for item in ids]
    except (KeyError, TypeError):  # the latter of what cannot be a key, such as a list
        raise _refused(ids, positions, where) from None


def _refused(ids: Any, positions: Mapping[str, int], where: str) -> DataError:
    """Why ids cannot be found: the first one that is wrong."""
    known = next(iter(positions), None)
    shown = f", such as {known!r}" if known is not None else ""
    for item in ids:
        if not isinstance(item, str):
            return DataError(
                f"Item ids are text, and this is {_named(item)}.",
                where=where,
                expected=f"ids of the {count(len(positions), 'catalogue item')}{shown}",
                hint="Catalogue positions go into Histories.from_lists; numbers that are ids, into str(...).",
            )
        if item not in positions:
            return DataError(
                f"Item {str(item)!r} is not in the catalogue.",
                where=where,
                expected=f"ids of the {count(len(positions), 'catalogue item')}{shown}",
            )
    return DataError("These item ids changed while they were read.", where=where)


def _is_table(values: Any) -> bool:
    """Whether reading them one by one gives columns or nothing: data frames, arrays of no dimension."""
    return hasattr(values, "columns") or getattr(values, "ndim", 1) == 0


def _named(value: Any) -> str:
    """A value in a message: what kind of thing it is, and the thing itself where it is short."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {str(value)[:60]!r}"
    if isinstance(value, int | float | np.number):
        return f"the number {value}"
    kind, text = type(value), repr(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name}" if len(text) > 60 or "\n" in text else f"{article} {name}: {text}"
