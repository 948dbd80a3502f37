"""What was found wrong in a table, which rule was applied, how often and where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from genrec.data.rules import RULES, Effect, Rule
from genrec.errors import DataError
from genrec.wording import count

__all__ = [
    "ALLOW_LOST",
    "ALLOW_UNKNOWN",
    "LOST_IN_READING",
    "RULES",
    "UNKNOWN",
    "DataReport",
    "Lines",
    "Problem",
    "Rule",
]

N_EXAMPLES = 3

ALLOW_LOST = 0.05
"""Largest share of the rows of a table that may be lost to reading (broken rows, missing ids, unreadable times)."""
ALLOW_UNKNOWN = 0.25
"""Largest share of interactions that may be lost because the catalogue does not have their items."""
LOST_IN_READING = ("broken-rows", "missing-ids", "unreadable-timestamps")
"""Problems that :data:`ALLOW_LOST` bounds."""
UNKNOWN = ("unknown-items",)
"""Problems that :data:`ALLOW_UNKNOWN` bounds."""


@dataclass(frozen=True)
class Problem:
    """One kind of problem in one table.

    Attributes:
        kind: A key of :data:`RULES`.
        count: How many rows, items or users have it.
        examples: The first few, each with its place (``line 12: ...``).
        table: Which table it is in, as the report calls it.
        advice: What the user can do about it here, where more is known than the rule says.
    """

    kind: str
    count: int
    examples: tuple[str, ...] = ()
    table: str = ""
    advice: str | None = None

    @property
    def rule(self) -> str:
        """What is done about it."""
        return RULES[self.kind].what

    @property
    def fix(self) -> str:
        """What the user can do about it."""
        return self.advice or RULES[self.kind].fix

    @property
    def effect(self) -> Effect:
        """What it does to the table: see :data:`genrec.data.rules.Effect`."""
        return RULES[self.kind].effect

    @property
    def takes_rows(self) -> bool:
        """Whether the rows that it counts are left out."""
        return self.effect in ("lost", "merged") and RULES[self.kind].unit == "rows"

    def place(self) -> str:
        """How many there are, and the first of them."""
        return f"{self.count:,} {self.kind}" + (f" ({'; '.join(self.examples)})" if self.examples else "")

    def line(self) -> str:
        """One line for people: ``interactions: 3 broken-rows: rows that cannot be read ... (line 4: ...)``."""
        where = f" ({'; '.join(self.examples)})" if self.examples else ""
        table = f"{self.table}: " if self.table else ""
        return f"{table}{self.count:,} {self.kind}: {self.rule}{where}." + (f" {self.advice}" if self.advice else "")

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
    """What was read, found and handled in one or several tables; every reader fills one.

    The rows that a table has are those that it keeps, plus the counts of all problems that take rows.

    Attributes:
        table: Name of the table that :meth:`add` speaks of: ``items``, ``interactions``, ``deny list`` ...
        facts: Counts of what was made.
        problems: What was found.
        rows: Rows that each table had, those that cannot be read included.
        allow_lost: Largest share of lost rows that the caller allows; None: :data:`ALLOW_LOST` for rows that cannot be
            read, :data:`ALLOW_UNKNOWN` for rows of unknown items.

    >>> report = DataReport("items", rows={"items": 9})
    >>> report.add("duplicate-items", 2, ["line 7: item '12'"])
    >>> report.count("duplicate-items"), report.kept()
    (2, 7)
    """

    table: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    allow_lost: float | None = None

    def read(self, rows: int) -> None:
        """Note how many rows this table has, those that cannot be read included."""
        self.rows[self.table] = int(rows)

    def kept(self) -> int:
        """Rows of this table that are left."""
        taken = sum(problem.count for problem in self.problems if problem.table == self.table and problem.takes_rows)
        return self.rows.get(self.table, 0) - taken

    def lines(self) -> list[str]:
        """The short form for people: of every table how many rows are used, then all that was lost, repaired, assumed.

        What was only noted is left to ``genrec data check``.
        """
        found: list[str] = []
        for table in dict.fromkeys([*self.rows, *(problem.table for problem in self.problems)]):
            told = [one for one in self.problems if one.table == table and one.effect != "noted"]
            taken = sum(one.count for one in told if one.takes_rows)
            if taken and table in self.rows:
                found.append(f"{table}: {self.rows[table] - taken:,} of {count(self.rows[table], 'row')} are used.")
            found += [one.line() for one in told]
        return found

    def require_few_lost(
        self, where: object, kinds: Sequence[str] = LOST_IN_READING, usual: float = ALLOW_LOST
    ) -> None:
        """Refuse a table that loses too many rows.

        Args:
            where: The file, for the message.
            kinds: Problems whose rows are counted.
            usual: Largest share where :attr:`allow_lost` is None.

        Raises:
            DataError: A larger share of the rows is lost; says which, and names the option that allows it.
        """
        rows = self.rows.get(self.table, 0)
        lost = [one for one in self.problems if one.table == self.table and one.kind in kinds]
        n_lost = sum(one.count for one in lost)
        allowed = usual if self.allow_lost is None else self.allow_lost
        if not rows or n_lost / rows <= allowed:
            return
        share = math.ceil(n_lost / rows * 100) / 100
        raise DataError(
            f"{n_lost:,} of {count(rows, 'row')} ({n_lost / rows:.0%}) would be lost.",
            where=f"{where}: " + "; ".join(one.place() for one in lost),
            expected=f"at most {allowed:.0%}",
            hint=f"{max(lost, key=lambda one: one.count).fix} Or allow it: --allow-lost {share:g} "
            f"(allow_lost={share:g} in Python).",
        )

    def add(self, kind: str, count: int, examples: Iterable[str] = (), advice: str | None = None) -> None:
        """Note a problem of this table, in place of an earlier note of the same kind; a count of 0 takes it back.

        Args:
            kind: A key of :data:`RULES`.
            count: How many rows have it.
            examples: Where; only the first few are kept.
            advice: What to do about it, where more is known than the rule says.

        Raises:
            KeyError: A kind without a rule.
        """
        if kind not in RULES:
            raise KeyError(kind)
        self.problems = [p for p in self.problems if (p.kind, p.table) != (kind, self.table)]
        if count:
            self.problems.append(Problem(kind, int(count), tuple(examples)[:N_EXAMPLES], self.table, advice))

    def add_to(self, kind: str, count: int, examples: Iterable[str] = (), advice: str | None = None) -> None:
        """Like :meth:`add`, on top of an earlier note of the same kind."""
        before = next((one for one in self.problems if (one.kind, one.table) == (kind, self.table)), None)
        if before is None:
            self.add(kind, count, examples, advice)
        elif count:
            self.add(kind, before.count + count, [*before.examples, *examples], advice or before.advice)

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
        for table, rows in other.rows.items():
            self.rows[table] = self.rows.get(table, 0) + rows

    def renamed(self, table: str) -> DataReport:
        """A copy in which everything is of one table of that name."""
        problems = [replace(problem, table=table) for problem in self.problems]
        return DataReport(table, dict(self.facts), problems, {table: sum(self.rows.values())}, self.allow_lost)

    def copy(self) -> DataReport:
        """An independent copy."""
        return DataReport(self.table, dict(self.facts), list(self.problems), dict(self.rows), self.allow_lost)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form: ``{"rows": {...}, "facts": {...}, "problems": [{...}, ...]}``."""
        problems = [problem.to_dict() for problem in self.problems]
        return {"rows": dict(self.rows), "facts": dict(self.facts), "problems": problems}


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
