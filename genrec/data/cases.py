"""Official evaluation rows of public repositories: one case a row, a history and the item that came next."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl

from genrec.data.columns import HISTORY_NAMES, MISSING, as_strings, require_column
from genrec.data.delimited import Quotes
from genrec.data.guesses import other_spelling
from genrec.data.histories import Histories
from genrec.data.report import ALLOW_UNKNOWN, LOST_IN_READING, N_EXAMPLES, DataReport, Lines
from genrec.data.split import EvaluationSet
from genrec.data.tables import read_rows
from genrec.errors import DataError
from genrec.schema import Columns

_SEPARATORS = (r"\s+", r"\s*,\s*", r"\s*;\s*", r"\s*\|\s*")
_LOOKED_AT = 1000


def read_cases(
    path: Path | str,
    item_ids: np.ndarray,
    *,
    user_column: str = Columns.User,
    history_column: str | None = None,
    target_column: str = Columns.Item,
    quotes: Quotes = "doubled",
    allow_lost: float | None = None,
) -> tuple[EvaluationSet, DataReport]:
    """Cases from a table with a history and a target in every row.

    A history is a list (JSON lines, Parquet), the text of one (``[1, 2]``, ``['a', 'b']``), or ids with blanks, commas,
    semicolons or bars between them: of these the separator that gives the most known items.

    Args:
        path: The table; without a column of users every row is a user of its own.
        item_ids: ``(n_items,)`` the catalogue.
        user_column: Users.
        history_column: Histories, oldest item first; None: the usual names.
        target_column: The items that came next.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
        allow_lost: Largest share of rows that may be lost; None: :data:`genrec.data.report.ALLOW_LOST` for rows that
            cannot be read, :data:`genrec.data.report.ALLOW_UNKNOWN` for those without known items.

    Returns:
        The cases in the order of the rows, and what was found.

    Raises:
        DataError: A column is missing, a history cannot be read, more rows are lost than allowed, or all are.
    """
    report = DataReport("cases", allow_lost=allow_lost)
    frame, lines = read_rows(path, report, quotes=quotes)
    report.require_few_lost(path)
    history_column = _history_column(frame, history_column, path)
    require_column(frame, target_column, "target_column", path)
    known = pl.Series("id", item_ids.tolist(), dtype=pl.String)
    positions = {item: place for place, item in enumerate(known)}
    histories = [
        [(item, positions.get(item, -1)) for item in items] for items in _lists(frame[history_column], positions, path)
    ]
    answers = [(text or "").strip() for text in as_strings(frame[target_column], path)]
    targets = np.array([positions.get(text, -1) for text in answers], dtype=np.int32)
    kept = [[place for _, place in items if place >= 0] for items in histories]
    empty = np.array([not items for items in kept], dtype=bool)
    _count_unknown(
        report, known, lines, [item for items in histories for item, place in items if place < 0], answers, targets
    )
    report.add(
        "empty-histories", int((empty & (targets >= 0)).sum()), lines.examples(np.flatnonzero(empty & (targets >= 0)))
    )
    report.require_few_lost(path, ("unknown-targets", "empty-histories"), ALLOW_UNKNOWN)
    users = _users(frame, user_column, path, report)
    rows = np.flatnonzero(~empty & (targets >= 0))
    if not len(rows):
        _refuse_nothing(report, path)
    lists = Histories.from_lists([kept[row] for row in rows], [users[row] or lines.of(int(row)) for row in rows])
    return EvaluationSet(lists, targets[rows]), report


def _refuse_nothing(report: DataReport, path: Path | str) -> NoReturn:
    """Say why no case is left, however many may be lost."""
    lost = [one for one in report.problems if one.kind in (*LOST_IN_READING, "unknown-targets", "empty-histories")]
    raise DataError(
        "No case can be used.",
        where=f"{path}: " + "; ".join(one.place() for one in lost) if lost else path,
        expected="rows with a history and a target of the catalogue",
        hint=max(lost, key=lambda one: one.count).fix if lost else None,
    )


def _count_unknown(
    report: DataReport, known: pl.Series, lines: Lines, strange: list[str], answers: list[str], targets: np.ndarray
) -> None:
    """Note items that the catalogue does not have, and in what other spelling it has them."""
    ids = pl.Series("id", strange, dtype=pl.String).unique(maintain_order=True)
    names = [f"item {item!r}" for item in ids.head(N_EXAMPLES)]
    report.add("unknown-history-items", len(strange), names, other_spelling(ids, known, "a history"))
    rows = np.flatnonzero(targets < 0)
    ids = pl.Series("id", [answers[row] for row in rows], dtype=pl.String).unique(maintain_order=True)
    places = lines.examples(rows, [repr(answers[row]) for row in rows[:N_EXAMPLES]])
    report.add("unknown-targets", len(rows), places, other_spelling(ids, known, "this table"))


def _users(frame: pl.DataFrame, column: str, path: Path | str, report: DataReport) -> list[str | None]:
    if column in frame.columns:
        return as_strings(frame[column], path).to_list()
    report.add("no-user-column", 1, [f"no {column!r} among {', '.join(frame.columns)}"])
    return [str(row) for row in range(frame.height)]


def _history_column(frame: pl.DataFrame, name: str | None, path: Path | str) -> str:
    if name is not None:
        return require_column(frame, name, "history_column", path)
    found = next((known for known in HISTORY_NAMES if known in frame.columns), None)
    if found is None:
        raise DataError(
            "There is no column of histories.",
            where=path,
            expected=f"one of {', '.join(HISTORY_NAMES)}; the columns are: {', '.join(frame.columns)}",
            hint="Name it: --history-column COLUMN.",
        )
    return found


def _lists(column: pl.Series, positions: dict[str, int], path: Path | str) -> list[list[str]]:
    """Item ids of every row."""
    if isinstance(column.dtype, pl.List):
        return [[_id(item) for item in items or ()] for items in column.to_list()]
    texts = [(text or "").strip() for text in as_strings(column, path)]
    texts = ["" if text in MISSING else text for text in texts]
    plain = [text for text in texts if text and not text.startswith("[")][:_LOOKED_AT]
    separator = max(
        _SEPARATORS, key=lambda one: sum(item in positions for text in plain for item in re.split(one, text))
    )
    return [_items(text, separator, row, path) for row, text in enumerate(texts)]


def _items(text: str, separator: str, row: int, path: Path | str) -> list[str]:
    if not text.startswith("["):
        return [item for item in re.split(separator, text) if item]
    for read in (json.loads, ast.literal_eval):  # both read values only, nothing is run
        try:
            items = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(items, list):
            return [_id(item) for item in items]
    raise DataError(
        f"The history {text[:60]!r} cannot be read.", where=f"{path}: row {row + 1}", expected="a list of item ids"
    )


def _id(item: Any) -> str:
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item).strip()
