"""Splits: what is trained on, and the cases of validation and test."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl
from pydantic import Field

from genrec.config import Settings
from genrec.data.catalog import Catalog
from genrec.data.filters import drop_consecutive_repeats
from genrec.data.histories import Histories
from genrec.data.interaction_columns import PARTS
from genrec.data.interactions import Interactions
from genrec.data.timestamps import to_timestamp
from genrec.errors import ConfigError, DataError, unknown_name
from genrec.schema import Columns
from genrec.wording import count

Moment = int | float | str


@dataclass(frozen=True, repr=False)
class EvaluationSet:
    """Cases: what a user had, and what came next.

    Attributes:
        histories: One history a case, never empty, everything the user had before the target.
        targets: ``(n_cases,)`` int32 positions in the catalogue.
        timestamps: ``(n_cases,)`` int64 times of the targets, or None where only the order is known.
    """

    histories: Histories
    targets: np.ndarray
    timestamps: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return f"EvaluationSet({count(len(self), 'case')}: {self.histories!r})"

    def select(self, cases: np.ndarray) -> EvaluationSet:
        """Some cases, ``(n,)`` indices or an ``(n_cases,)`` bool mask, in the order given."""
        times = None if self.timestamps is None else self.timestamps[cases]
        return EvaluationSet(self.histories.select(cases), self.targets[cases], times)


@dataclass(frozen=True, repr=False)
class Split:
    """Training part and two evaluation sets; no target of a set is in the training part of its user.

    Attributes:
        train: What models, tokenizers and baselines may see.
        validation: For choosing.
        test: For reporting.
        name: How it was split, such as ``leave-one-out``.
    """

    train: Histories
    validation: EvaluationSet
    test: EvaluationSet
    name: str

    def __repr__(self) -> str:
        return f"Split({self.name}: train={self.train!r}, validation={self.validation!r}, test={self.test!r})"


def leave_one_out(histories: Histories, *, min_length: int = 3) -> Split:
    """Each user's last item is the test target, the last but one the validation target, the rest is for training.

    The history of a test case holds the validation target. Users with fewer than ``min_length`` items are for training
    only, with all their items.

    Args:
        histories: Whole histories.
        min_length: At least 3, so that every case has a history.

    Raises:
        ConfigError: ``min_length`` below 3.
        DataError: No user is long enough.

    >>> split = leave_one_out(Histories.from_lists([[5, 6, 7, 8], [1, 2]]))
    >>> split.train.items.tolist(), split.validation.targets.tolist(), split.test.targets.tolist()
    ([5, 6, 1, 2], [7], [8])
    """
    if not isinstance(min_length, int) or min_length < 3:
        raise ConfigError(f"min_length is {min_length!r}.", where="leave-one-out", expected="at least 3")
    long = histories.lengths >= min_length
    if not long.any():
        raise DataError(
            f"No user has {count(min_length, 'item')}.",
            where="leave-one-out split",
            expected="histories with a test item, a validation item and at least one before them",
            hint="Collect longer histories, or cut all users at two moments: --split global-time --validation-from 0.8 "
            "--test-from 0.9 (split settings in Python). An index needs no interactions.",
        )
    held = np.where(long, 2, 0)
    train = histories.cut(histories.offsets[:-1], histories.offsets[1:] - held)
    last = histories.offsets[1:][long] - 1
    return Split(train, _cases(histories, last - 1), _cases(histories, last), "leave-one-out")


def global_time(
    histories: Histories,
    *,
    validation_from: Moment,
    test_from: Moment,
    cases: Literal["last", "first", "all"] = "last",
) -> Split:
    """Everything before one moment is for training, then comes the validation period, then the test period.

    Args:
        histories: Whole histories with real timestamps.
        validation_from: Start of the validation period: a number in the unit of the timestamps, an ISO date (UTC), or a
            decimal between 0 and 1: the moment before which this share of all interactions lies.
        test_from: Start of the test period, in the same way.
        cases: Which interactions of a period are targets: each user's ``last``, ``first``, or ``all``. The history of
            a case is all that the user had before it, in whatever period; a target without any is no case.

    Raises:
        DataError: Only the order is known, the periods are in the wrong order, or a part is empty.
        ConfigError: Another word for ``cases``.
    """
    times = histories.timestamps
    if times is None:
        raise DataError(
            "A global-time split needs real timestamps, but only the order inside each user is known.",
            where="global-time split",
            hint="Use the leave-one-out split.",
        )
    if cases not in ("last", "first", "all"):
        raise ConfigError(f"cases is {cases!r}.", where="global-time split", expected="last, first or all")
    if not len(times):
        raise DataError("There are no interactions.", where="global-time split", expected="some to cut in time")
    start, stop = (_moment(moment, times) for moment in (validation_from, test_from))
    if start >= stop:
        raise DataError(
            f"The validation period begins at {start}, the test period at {stop}.",
            where="global-time split",
            expected="validation_from before test_from",
        )
    parts = (times >= start).astype(np.int8) + (times >= stop)
    return _by_parts(histories, parts, "global-time", cases)


def custom_split(
    interactions: Interactions | Sequence[Interactions],
    catalog: Catalog | Sequence[str] | np.ndarray,
    *,
    consecutive_repeats: Literal["drop", "keep"] = "keep",
) -> Split:
    """A split that somebody else made: a column that names the part of each row, or three tables.

    Every validation and test row is a case; its history is all that the user had before it.

    Args:
        interactions: Interactions read with ``part_column``, or the three tables train, validation, test.
        catalog: The catalogue, or the list of its item ids.
        consecutive_repeats: As in :meth:`Interactions.histories`; kept by default, so that no official row is lost.

    Raises:
        DataError: The parts are not known, or one of them is empty.
    """
    table = interactions if isinstance(interactions, Interactions) else _joined(interactions)
    histories, parts = table.labelled_histories(catalog, consecutive_repeats=consecutive_repeats)
    if parts is None:
        raise DataError(
            "The part of each row is not known.",
            where="custom split",
            expected="a column with train, validation or test",
            hint="Name it: --part-column COLUMN (part_column='COLUMN' in Python).",
        )
    return _by_parts(histories, parts, CUSTOM, "all")


def make_split(histories: Histories, name: str, **options: Any) -> Split:
    """Split by name: ``leave-one-out`` or ``global-time``, with the options of that function.

    Raises:
        ConfigError: Unknown name or option, or an option is missing.
    """
    if name == CUSTOM:
        raise ConfigError(
            "A split of one's own needs the column that says the part of each row.",
            where="split",
            expected="--part-column COLUMN (custom_split(table, items) in Python)",
        )
    check_split(name, **options)
    return SPLITS[name](histories, **options)


def check_split(name: str, **options: Any) -> None:
    """Refuse a split that cannot be made, before any table is read.

    Args:
        name: ``leave-one-out``, ``global-time`` or ``custom``.
        options: Of the function of that name; of ``custom`` the ``part_column``.

    Raises:
        ConfigError: Unknown name or option, or an option is missing.
    """
    if name != CUSTOM and name not in SPLITS:
        raise unknown_name("split", name, [*SPLITS, CUSTOM])
    needed = {"part_column": True} if name == CUSTOM else _options_of(name)
    wrong = next((option for option in options if option not in needed), None)
    if wrong is not None and not needed:
        raise ConfigError(f"The {name} split has no '{wrong}'.", where="split")
    if wrong is not None:
        raise unknown_name("option", wrong, needed, where=f"{name} split")
    missing = [option for option, must in needed.items() if must and option not in options]
    if missing:
        shown = " ".join(f"--{option.replace('_', '-')} {_EXAMPLES[option]}" for option in missing)
        python = ", ".join(f"{option}={_EXAMPLES[option]!r}" for option in missing)
        raise ConfigError(
            f"The {name} split needs {' and '.join(missing)}.",
            where="split",
            hint=f"Such as {shown} ({python} in Python).",
        )


def _options_of(name: str) -> dict[str, bool]:
    """The options of a split, and whether it needs them."""
    known = dict(inspect.signature(SPLITS[name]).parameters)
    del known["histories"]
    return {option: parameter.default is inspect.Parameter.empty for option, parameter in known.items()}


CUSTOM = "custom"
"""Name of a split that somebody else made."""
_EXAMPLES = {"validation_from": 0.8, "test_from": 0.9, "part_column": "part"}
SPLITS: dict[str, Callable[..., Split]] = {"leave-one-out": leave_one_out, "global-time": global_time}


def _cases(histories: Histories, rows: np.ndarray) -> EvaluationSet:
    """One case for each target row, ``(n_cases,)`` int64 increasing; rows without any history are left out."""
    users = np.searchsorted(histories.offsets, rows, side="right") - 1
    before = rows > histories.offsets[users]
    rows, users = rows[before], users[before]
    times = None if histories.timestamps is None else histories.timestamps[rows]
    return EvaluationSet(histories.cut(histories.offsets[users], rows, users), histories.items[rows], times)


def _by_parts(histories: Histories, parts: np.ndarray, name: str, cases: str) -> Split:
    """Split by the part of each row, ``(n_rows,)`` int8 positions in PARTS."""
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    for part, label in enumerate(PARTS):
        if not (parts == part).any():
            raise DataError(f"The {label} part has no interactions.", where=f"{name} split")
    train = histories.take(parts == 0)
    train = train.select(train.lengths > 0)
    sets = []
    for part in (1, 2):
        rows = np.flatnonzero(parts == part)
        owners = users[rows]
        if cases == "last":
            rows = rows[np.r_[owners[1:] != owners[:-1], True]]
        elif cases == "first":
            rows = rows[np.r_[True, owners[1:] != owners[:-1]]]
        sets.append(_cases(histories, rows))
        if not len(sets[-1]):
            raise DataError(f"No case of the {PARTS[part]} part has a history.", where=f"{name} split")
    return Split(train, sets[0], sets[1], name)


def _moment(moment: Moment, times: np.ndarray) -> int:
    known = isinstance(moment, str) or (isinstance(moment, int | float) and not isinstance(moment, bool))
    if not known or (isinstance(moment, float) and not math.isfinite(moment)):
        raise ConfigError(
            f"{moment!r} is no moment.",
            where="global-time split",
            expected="a share, a date, or a number as in the table",
        )
    if isinstance(moment, float) and 0 < moment < 1:
        place = min(int(moment * len(times)), len(times) - 1)
        return int(np.partition(times, place)[place])
    return to_timestamp(moment if isinstance(moment, str) else int(moment), times)


def _joined(tables: Sequence[Interactions]) -> Interactions:
    if len(tables) != len(PARTS):
        raise DataError(
            f"{count(len(tables), 'table')} for a split.", where="custom split", expected="train, validation, test"
        )
    frames = [t.frame.with_columns(pl.lit(part).alias("part")) for t, part in zip(tables, PARTS, strict=True)]
    time_column = None if any(table.ordinal for table in tables) else Columns.Timestamp
    return Interactions.from_frame(pl.concat(frames), time_column=time_column, part_column="part")


class SplitSettings(Settings):
    """How interactions are cut; see :func:`genrec.data.split.make_split`."""

    name: str = Field("leave-one-out", description="leave-one-out, or global-time")
    options: dict[str, Any] = Field({}, description="options of that split, such as validation_from and test_from")


class HasItems(Protocol):
    """Something over a catalogue, such as a semantic index."""

    @property
    def item_ids(self) -> np.ndarray:
        """``(n_items,)`` object array of str."""


class HasSplit(Protocol):
    """Settings that say how interactions are cut, such as those of a training run."""

    @property
    def split(self) -> SplitSettings:
        """Which split, with its options."""

    @property
    def drop_consecutive_repeats(self) -> bool:
        """Whether the same item several times in a row counts once."""


def split_for(interactions: Interactions | Histories, index: HasItems, config: HasSplit) -> Split:
    """The split that a configuration asks for, over the items of an index."""
    return split_interactions(interactions, index.item_ids, config.split, config.drop_consecutive_repeats)


def split_interactions(
    interactions: Interactions | Histories, item_ids: np.ndarray, split: SplitSettings, drop_repeats: bool
) -> Split:
    """Cut interactions into training, validation and test; items that are not in ``item_ids`` are left out.

    Of a split of somebody's own (``custom``) every row counts, repeats too; the interactions were read with its column.
    """
    if split.name == CUSTOM and isinstance(interactions, Interactions):
        return custom_split(interactions, item_ids)
    if isinstance(interactions, Histories):
        known = drop_consecutive_repeats(interactions) if drop_repeats else interactions
    else:
        known = interactions.histories(item_ids, consecutive_repeats="drop" if drop_repeats else "keep")
    return make_split(known, split.name, **split.options)
