"""What ``genrec data check`` finds: facts and problems of an items table and an interactions table, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from genrec.data.alike import note_case
from genrec.data.catalog import Catalog
from genrec.data.delimited import Quotes
from genrec.data.fields import Html
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.report import ALLOW_LOST, ALLOW_UNKNOWN, LOST_IN_READING, UNKNOWN, DataReport, Problem
from genrec.data.sorting import distinct, tied_rows
from genrec.data.timestamps import show_time, unit_of
from genrec.errors import DataError
from genrec.schema import Columns

_TRAINING_ONLY_BELOW = 3

T = TypeVar("T")


@dataclass(frozen=True)
class CheckResult:
    """Everything a person wants to know before training.

    Attributes:
        items: Facts of the items table: ``items``, ``fields`` (name, type, filled share, example) ...
        interactions: Facts of the interactions table.
        problems: What was found, most frequent first; each has count, examples, the rule applied and how to fix it.
        errors: What makes a table unusable; then its facts are missing.
    """

    items: dict[str, Any] = field(default_factory=dict)
    interactions: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    errors: list[DataError] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether both tables can be used."""
        return not self.errors

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "ok": self.ok,
            "items": self.items,
            "interactions": self.interactions,
            "problems": [problem.to_dict() for problem in self.problems],
            "errors": [str(error) for error in self.errors],
        }


def check_tables(
    items: Path | str | Catalog | None = None,
    interactions: Path | str | None = None,
    *,
    id_column: str = Columns.Item,
    user_column: str = Columns.User,
    item_column: str = Columns.Item,
    time_column: str | None = Columns.Timestamp,
    title_column: str | None = None,
    allow_lost: float | None = None,
    quotes: Quotes = "doubled",
    html: Html = "plain",
) -> CheckResult:
    """Read both tables (or one) and tell what is in them and what is wrong, without stopping at the first error.

    Too many lost rows are an error here, too, but nothing else goes unsaid because of them.

    Args:
        items: The items table, or items that are known already.
        interactions: The interactions table.
        id_column: Column of the ids in the items table.
        user_column: Column of the user ids in the interactions table.
        item_column: Column of the item ids in the interactions table.
        time_column: Column of the times; None: the order of the rows.
        title_column: Column of the titles in the items table; see :meth:`Catalog.read`.
        allow_lost: See :meth:`Interactions.read`.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
        html: See :meth:`Catalog.read`.
    """
    report = DataReport()
    errors: list[DataError] = []
    how: Any = {"allow_lost": 1.0, "quotes": quotes}
    catalog, table = items if isinstance(items, Catalog) else None, None
    if items is not None and not isinstance(items, Catalog):
        fields: Any = {"id_column": id_column, "title_column": title_column, "html": html}
        catalog = _tried(errors, partial(Catalog.read, items, **fields, **how))
    if interactions is not None:
        names: Any = {"user_column": user_column, "item_column": item_column, "time_column": time_column}
        table = _tried(errors, partial(Interactions.read, interactions, **names, **how))
    if catalog is not None and table is not None:
        _tried(errors, partial(_check_together, catalog, table))
    errors += _too_many_lost(catalog, items, allow_lost) + _too_many_lost(table, interactions, allow_lost)
    facts: list[dict[str, Any]] = [{}, {}]
    if catalog is not None:
        note_case(catalog.frame[Columns.Item], id_column, catalog.report)
        report.merge(catalog.report)
        facts[0] = item_facts(catalog)
    if table is not None:
        _check_times(table)
        note_case(table.user_ids, user_column, table.report)
        report.merge(table.report)
        facts[1] = interaction_facts(table)
    problems = sorted(report.problems, key=lambda problem: (-problem.count, problem.table, problem.kind))
    return CheckResult(facts[0], facts[1], problems, errors)


def _tried(errors: list[DataError], read: Callable[[], T]) -> T | None:
    """What is read, or None and one more error."""
    try:
        return read()
    except DataError as error:
        errors.append(error)
        return None


def _too_many_lost(table: Catalog | Interactions | None, where: object, allow_lost: float | None) -> list[DataError]:
    """What every other reader of this table would say."""
    if table is None:
        return []
    table.report.allow_lost = allow_lost
    errors = []
    for kinds, usual in ((LOST_IN_READING, ALLOW_LOST), (UNKNOWN, ALLOW_UNKNOWN)):
        try:
            table.report.require_few_lost(where, kinds, usual)
        except DataError as error:
            errors.append(error)
    return errors


def item_facts(catalog: Catalog) -> dict[str, Any]:
    """Number of items, and of every field its type, filled share, median length and an example."""
    fields = [_field_facts(catalog.frame[name]) for name in catalog.fields]
    return {"items": len(catalog), "fields": fields, "example_title": catalog.titles()[0]}


def _field_facts(series: pl.Series) -> dict[str, Any]:
    is_list = isinstance(series.dtype, pl.List)
    if is_list or series.dtype == pl.String:
        text = series.list.join(", ") if is_list else series
        filled = text.filter(text.str.strip_chars().fill_null("") != "")
        length = float(filled.str.len_chars().median() or 0)  # type: ignore[arg-type]
        kind = "list of text" if is_list else "text"
    else:
        filled, length, kind = series.drop_nulls(), None, "number"
    return {
        "name": series.name,
        "type": kind,
        "filled": len(filled) / len(series),
        "median_length": length,
        "example": str(filled[0])[:80] if len(filled) else "",
    }


def interaction_facts(table: Interactions) -> dict[str, Any]:
    """Counts, lengths of the histories, density, and the period."""
    lengths = table.lengths
    pairs = np.repeat(np.arange(len(lengths)), lengths) * len(table.item_ids) + table.items
    unit = None if table.ordinal else unit_of(table.timestamps)
    return {
        "interactions": len(table),
        "users": len(lengths),
        "items": len(table.item_ids),
        "density": len(table) / (len(lengths) * len(table.item_ids)),
        "length_min": int(lengths.min()),
        "length_median": float(np.median(lengths)),
        "length_mean": float(lengths.mean()),
        "length_max": int(lengths.max()),
        "repeated_pairs": len(table) - len(distinct(pairs)),
        "time": "order only" if table.ordinal else f"epoch, {unit}" if unit else "numbers",
        "first": None if table.ordinal else show_time(int(table.timestamps.min()), unit),
        "last": None if table.ordinal else show_time(int(table.timestamps.max()), unit),
    }


def _check_together(catalog: Catalog, table: Interactions) -> None:
    """Note in the reports what only both tables together show."""
    histories: Histories = table.histories(catalog)
    used = np.bincount(histories.items, minlength=len(catalog)) > 0
    names = [f"item {catalog.item_ids[row]!r}" for row in np.flatnonzero(~used)[:3]]
    catalog.report.add("unused-items", int((~used).sum()), names)
    short = np.flatnonzero(histories.lengths < _TRAINING_ONLY_BELOW)
    table.report.add("short-histories", len(short), [f"user {histories.user_ids[u]!r}" for u in short[:3]])


def _check_times(table: Interactions) -> None:
    if not table.ordinal:
        users = np.repeat(np.arange(len(table.user_ids)), table.lengths)
        tied = np.flatnonzero(tied_rows(users, table.timestamps))
        examples = dict.fromkeys(f"user {table.user_ids[int(users[row])]!r}" for row in tied[:1000].tolist())
        table.report.add("equal-timestamps", len(tied), examples)
