"""Slices: named subsets of the evaluation cases, so that a mean cannot hide who it comes from.

A slicer takes the cases and returns masks by name. The ones here that need something (training part, a column) are
made by a function that takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, Split
from genrec.data.timestamps import unit_of
from genrec.errors import ConfigError, DataError
from genrec.evaluation.case_labels import by_transition
from genrec.wording import count

Slicer = Callable[[EvaluationSet], dict[str, np.ndarray]]
"""From cases to ``{name: (n_cases,) bool}``."""

HISTORY_EDGES = (5, 10, 20, 50)
GAPS = (("1h", 3600), ("1d", 86_400), ("7d", 604_800), ("30d", 2_592_000))
"""Names and seconds of the bounds of :func:`by_time_since_last`."""


def default_slices(split: Split, item_ids: Sequence[str] | np.ndarray) -> list[Slicer]:
    """The slices of every report; those without cases are left out where they are shown.

    Novel and repeat targets; head, middle, tail and cold items; warm and cold users; length of the history; time since
    the last interaction, where times are real; what the step from the last item to the target asks for.

    Args:
        split: Its training part says what is popular and who is cold.
        item_ids: ``(n_items,)`` the catalogue.
    """
    train = split.train
    return [
        by_novelty,
        by_popularity(train, len(item_ids)),
        by_user(train),
        by_history_length(HISTORY_EDGES),
        by_time_since_last,
        by_transition(train, len(item_ids)),
    ]


def by_novelty(cases: EvaluationSet) -> dict[str, np.ndarray]:
    """``repeat``: the target is already in the history; ``novel``: it is not.

    Where seen items are excluded a repeat target cannot be hit, whatever the recommender.

    >>> cases = EvaluationSet(Histories.from_lists([[1, 2], [3]]), np.array([1, 4]))
    >>> by_novelty(cases)["repeat"].tolist()
    [True, False]
    """
    histories = cases.histories
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    hits = histories.items == np.repeat(cases.targets, histories.lengths)
    repeat = np.bincount(rows[hits], minlength=len(histories)) > 0
    return {"novel": ~repeat, "repeat": repeat}


def by_popularity(train: Histories, n_items: int) -> Slicer:
    """``head``, ``middle``, ``tail``: the target's third of all training interactions; ``cold``: never in training.

    Items are sorted by their training counts; the head is the few items that make up the first third of the
    interactions, and so on. Items of equal count are always in the same slice.

    Args:
        train: Training part.
        n_items: Size of the catalogue.
    """
    classes = popularity_classes(train, n_items)

    def slicer(cases: EvaluationSet) -> dict[str, np.ndarray]:
        own = classes[cases.targets]
        return {name: own == number for number, name in enumerate(("head", "middle", "tail", "cold"))}

    return slicer


def popularity_classes(train: Histories, n_items: int) -> np.ndarray:
    """Class of every item, ``(n_items,)`` int8: 0 head, 1 middle, 2 tail, 3 cold; see :func:`by_popularity`.

    >>> popularity_classes(Histories.from_lists([[0, 0, 0, 1, 1, 2, 3]]), 5).tolist()
    [0, 1, 2, 2, 3]
    """
    counts = np.bincount(train.items, minlength=n_items)
    levels, members = np.unique(counts, return_counts=True)
    mass = (levels * members)[::-1]
    before = (np.cumsum(mass) - mass) / max(1, int(mass.sum()))  # share of the interactions of more popular items
    classes = np.searchsorted([1 / 3, 2 / 3], before, side="right")[::-1]
    result = classes[np.searchsorted(levels, counts)].astype(np.int8)
    result[counts == 0] = 3
    return result


def by_history_length(edges: Sequence[int] = (5, 10, 20)) -> Slicer:
    """Length of the history: ``history-below-5``, ``history-5-9``, ``history-10-19``, ``history-from-20``.

    Args:
        edges: Increasing lengths at which a new slice begins.

    Raises:
        ConfigError: Edges that do not increase or are below 1.
    """
    bounds = list(edges)
    if not bounds or bounds[0] < 1 or bounds != sorted(set(bounds)):
        raise ConfigError(f"The history lengths {bounds} cannot be used.", expected="increasing numbers from 1")
    inner = [f"history-{low}-{high - 1}" for low, high in pairwise(bounds)]
    names = [f"history-below-{bounds[0]}", *inner, f"history-from-{bounds[-1]}"]

    def slicer(cases: EvaluationSet) -> dict[str, np.ndarray]:
        own = np.searchsorted(bounds, cases.histories.lengths, side="right")
        return {name: own == number for number, name in enumerate(names)}

    return slicer


def by_user(train: Histories) -> Slicer:
    """``warm-user``: the user has training interactions; ``cold-user``: the model knows the case's history only.

    >>> cases = EvaluationSet(Histories.from_lists([[1], [2]], ["a", "b"]), np.array([3, 4]))
    >>> by_user(Histories.from_lists([[1]], ["b"]))(cases)["cold-user"].tolist()
    [True, False]
    """
    known = set(train.user_ids[train.lengths > 0].tolist())

    def slicer(cases: EvaluationSet) -> dict[str, np.ndarray]:
        warm = np.array([user in known for user in cases.histories.user_ids.tolist()], dtype=bool)
        return {"warm-user": warm, "cold-user": ~warm}

    return slicer


def by_time_since_last(cases: EvaluationSet) -> dict[str, np.ndarray]:
    """Time from the last interaction of the history to the target, where timestamps are real.

    ``gap-none`` (the same time: their order is arbitrary), ``gap-below-1h``, ``gap-1h-1d``, ``gap-1d-7d``,
    ``gap-7d-30d``, ``gap-from-30d``. No slices where only the order is known, or the unit of the times is not.
    """
    times = cases.histories.timestamps
    unit = None if times is None or cases.timestamps is None else unit_of(cases.timestamps)
    if times is None or cases.timestamps is None or unit is None:
        return {}
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    filled = cases.histories.lengths > 0
    gaps = np.zeros(len(cases), dtype=np.int64)
    gaps[filled] = cases.timestamps[filled] - times[cases.histories.offsets[1:][filled] - 1]
    own = np.searchsorted([seconds * per_second for _, seconds in GAPS], gaps, side="right")
    own[gaps <= 0] = -1
    inner = [f"gap-{low}-{high}" for (low, _), (high, _) in pairwise(GAPS)]
    names = ["gap-none", f"gap-below-{GAPS[0][0]}", *inner, f"gap-from-{GAPS[-1][0]}"]
    return {name: (own == number) & filled for number, name in enumerate(names, start=-1)}


def by_case_column(name: str, values: Sequence[object] | np.ndarray) -> Slicer:
    """One slice for every value of a column with one entry a case: ``name=value``; missing values are ``name=?``.

    >>> cases = EvaluationSet(Histories.from_lists([[1], [2]]), np.array([3, 4]))
    >>> by_case_column("country", ["nl", None])(cases)["country=?"].tolist()
    [False, True]
    """

    def slicer(cases: EvaluationSet) -> dict[str, np.ndarray]:
        if len(values) != len(cases):
            raise DataError(f"The column '{name}' has {count(len(values), 'value')} for {count(len(cases), 'case')}.")
        return _one_each(name, list(values))

    return slicer


def by_user_column(name: str, values: Mapping[str, object]) -> Slicer:
    """One slice for every value that users have: ``name=value``; users without one are ``name=?``.

    Args:
        name: Name of the column.
        values: From user id to value.
    """
    return lambda cases: _one_each(name, [values.get(user) for user in cases.histories.user_ids])


def by_item_column(name: str, values: Sequence[object] | np.ndarray) -> Slicer:
    """One slice for every value that target items have: ``name=value``.

    Args:
        name: Name of the column.
        values: ``(n_items,)`` in the order of the catalogue.
    """

    def slicer(cases: EvaluationSet) -> dict[str, np.ndarray]:
        if len(cases.targets) and cases.targets.max() >= len(values):
            raise DataError(f"The column '{name}' has {count(len(values), 'value')} but the catalogue has more items.")
        return _one_each(name, [values[target] for target in cases.targets])

    return slicer


def _one_each(name: str, values: Sequence[object]) -> dict[str, np.ndarray]:
    texts = np.array(["?" if value is None or value != value else str(value) for value in values], dtype=object)
    return {f"{name}={text}": texts == text for text in sorted(set(texts.tolist()))}
