"""What was found wrong in a table, which rule was applied, how often and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

N_EXAMPLES = 3

RULES: dict[str, tuple[str, str]] = {
    "broken-rows": (
        "rows that cannot be read (wrong number of fields, invalid JSON) are left out",
        "Correct these lines in the file.",
    ),
    "missing-ids": (
        "rows without a user or item id are left out",
        "Fill the ids in, or remove the rows.",
    ),
    "repaired-ids": (
        "ids are strings: surrounding blanks and a trailing '.0' that all ids share are removed",
        "Write ids as text, so that no tool turns them into decimals.",
    ),
    "unreadable-timestamps": (
        "rows whose time is blank, NaN or unreadable are left out",
        "Write times as integers or ISO dates such as 2024-05-31T12:00:00.",
    ),
    "fractional-timestamps": (
        "fractions of a second are used for the order, then cut off",
        "Nothing to do; multiply by 1000 to keep milliseconds.",
    ),
    "row-order": (
        "there is no time column: the order of the rows is the order of the interactions",
        "Name the time column if there is one.",
    ),
    "duplicate-rows": (
        "of rows with the same user, item and time only the first is kept",
        "Nothing to do, unless they were different events: then give them different times.",
    ),
    "duplicate-items": (
        "items that are listed again with the same content are merged",
        "Nothing to do; list each item once.",
    ),
    "conflicting-items": (
        "of items that are listed again with other content the first is kept",
        "Keep one row for each item_id.",
    ),
    "items-without-text": (
        "items without any text are kept and stay reachable, but a text encoder knows nothing about them",
        "Fill in a title or a category, or use an encoder that reads interactions.",
    ),
    "unknown-items": (
        "interactions with items that the catalogue does not have are left out",
        "Add the items to the catalogue, or check that both tables use the same ids.",
    ),
    "users-without-items": (
        "users of whom no known item is left are left out",
        "See unknown-items.",
    ),
    "consecutive-repeats": (
        "the same item several times in a row counts once",
        "Pass consecutive_repeats='keep' to keep them.",
    ),
    "below-k-core": (
        "rows of users and items with too few interactions are left out, repeatedly",
        "Lower the k-core, or switch it off.",
    ),
    "short-histories": (
        "users with fewer than 3 interactions are used for training only",
        "Nothing to do.",
    ),
    "unused-items": (
        "items without any interaction stay in the catalogue and can be recommended",
        "Nothing to do.",
    ),
    "equal-timestamps": (
        "interactions of one user at the same time keep the order of their rows",
        "Nothing to do, if the order of the rows means something.",
    ),
    "items-without-metadata": (
        "items that only the interactions have get a row without text",
        "Use the complete metadata file.",
    ),
}
"""For every kind of problem: the rule that is applied, and what the user can do."""


@dataclass(frozen=True)
class Problem:
    """One kind of problem in one table.

    Attributes:
        kind: A key of :data:`RULES`.
        count: How many rows, items or users have it.
        examples: The first few, each with its place (``line 12: ...``).
        table: Which table it is in, as the report calls it.
    """

    kind: str
    count: int
    examples: tuple[str, ...] = ()
    table: str = ""

    @property
    def rule(self) -> str:
        """What is done about it."""
        return RULES[self.kind][0]

    @property
    def fix(self) -> str:
        """What the user can do about it."""
        return RULES[self.kind][1]

    def to_dict(self) -> dict[str, Any]:
        """Flat, JSON-able form."""
        return {
            "table": self.table,
            "problem": self.kind,
            "count": self.count,
            "rule": self.rule,
            "examples": list(self.examples),
            "fix": self.fix,
        }


@dataclass
class DataReport:
    """Problems and facts of one or several tables.

    >>> report = DataReport("items")
    >>> report.add("duplicate-items", 2, ["line 7: item '12'"])
    >>> report.count("duplicate-items")
    2
    """

    table: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: str, count: int, examples: Iterable[str] = ()) -> None:
        """Note a problem of this table, in place of an earlier note of the same kind; a count of 0 takes it back.

        Args:
            kind: A key of :data:`RULES`.
            count: How many rows have it.
            examples: Where; only the first few are kept.

        Raises:
            KeyError: A kind without a rule.
        """
        if kind not in RULES:
            raise KeyError(kind)
        self.problems = [p for p in self.problems if (p.kind, p.table) != (kind, self.table)]
        if count:
            self.problems.append(Problem(kind, int(count), tuple(examples)[:N_EXAMPLES], self.table))

    def count(self, kind: str) -> int:
        """How often a kind of problem occurs, over all tables of this report."""
        return sum(problem.count for problem in self.problems if problem.kind == kind)

    def merge(self, other: DataReport) -> None:
        """Take over the problems and facts of another report; equal kinds of the same table are summed."""
        for theirs in other.problems:
            mine = next((p for p in self.problems if (p.kind, p.table) == (theirs.kind, theirs.table)), None)
            if mine is None:
                self.problems.append(theirs)
            else:
                examples = (mine.examples + theirs.examples)[:N_EXAMPLES]
                both = replace(mine, count=mine.count + theirs.count, examples=examples)
                self.problems[self.problems.index(mine)] = both
        self.facts |= other.facts

    def copy(self) -> DataReport:
        """An independent copy."""
        return DataReport(self.table, dict(self.facts), list(self.problems))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form: ``{"facts": {...}, "problems": [{...}, ...]}``."""
        return {"facts": dict(self.facts), "problems": [problem.to_dict() for problem in self.problems]}


@dataclass(frozen=True)
class Lines:
    """Where the rows of a table stand in its file.

    Attributes:
        label: ``line`` of a text file or ``row`` of another table.
        first: Number of the first row, where rows follow each other.
        numbers: ``(n_rows,)`` line numbers where they do not, else None.
    """

    label: str = "row"
    first: int = 1
    numbers: np.ndarray | None = None

    def of(self, row: int) -> str:
        """Place of a row (from 0) for a message, such as ``line 12``."""
        return f"{self.label} {int(self.numbers[row]) if self.numbers is not None else row + self.first}"

    def examples(self, rows: np.ndarray | Sequence[int], texts: Iterable[object] | None = None) -> list[str]:
        """Places of the first few rows, each followed by its text."""
        first = [int(row) for row in rows[:N_EXAMPLES]]
        if texts is None:
            return [self.of(row) for row in first]
        return [f"{self.of(row)}: {text}" for row, text in zip(first, texts, strict=False)]
