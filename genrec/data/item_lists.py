"""Tables that say something of items: which ones are allowed or denied, and which scores are added.

Such a table is an order, so no row of it may vanish: one that cannot be read is an error. An item that the catalogue
does not have is none: it is counted, and the rest holds.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from genrec.data.columns import as_texts, clean_ids, positions_of, require_column
from genrec.data.delimited import Quotes
from genrec.data.guesses import other_spelling
from genrec.data.report import N_EXAMPLES, DataReport, Lines
from genrec.data.tables import read_rows
from genrec.errors import DataError
from genrec.schema import Columns
from genrec.wording import count as counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ItemList:
    """A list of items as it was read.

    Attributes:
        ids: Those that the catalogue has, each once, in the order of the list.
        report: What was found; its :meth:`~DataReport.lines` are for people.
    """

    ids: list[str]
    report: DataReport


def read_item_list(
    path: Path | str,
    item_ids: Sequence[str] | np.ndarray | pl.Series,
    *,
    name: str = "list",
    id_column: str = Columns.Item,
    quotes: Quotes = "doubled",
    needed: bool = False,
) -> ItemList:
    """Items from a table with ``item_id``; other columns mean nothing.

    Args:
        path: The table.
        item_ids: ``(n_items,)`` ids of the catalogue.
        name: What the list is, such as ``deny list``, for messages.
        id_column: Name of the column with the ids.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
        needed: A list without any known item is an error.

    Raises:
        DataError: The table or one of its rows cannot be read, or a row has no id: names the row. No item is known,
            where one is ``needed``.
    """
    report = DataReport(name)
    known = item_ids if isinstance(item_ids, pl.Series) else as_texts(item_ids)
    _, positions, _ = _read(path, known, report, id_column, quotes)
    rows = np.flatnonzero(positions >= 0)
    if needed and not len(rows):
        problem = report.problems[-1]
        raise DataError(
            f"No item of the {name} is in the catalogue.",
            where=f"{path}: {', '.join(problem.examples)}",
            hint=problem.fix,
        )
    first = rows[np.sort(np.unique(positions[rows], return_index=True)[1])]
    report.add("duplicate-items", len(rows) - len(first))
    report.facts["items"] = len(first)
    return ItemList(known.gather(positions[first]).to_list(), report)


def read_scores(
    path: Path | str,
    item_ids: Sequence[str] | np.ndarray | pl.Series,
    *,
    name: str = "prior",
    id_column: str = Columns.Item,
    score_column: str = Columns.Score,
    quotes: Quotes = "doubled",
    report: DataReport | None = None,
) -> np.ndarray:
    """Scores of items from a table with ``item_id`` and ``score``: ``(n_items,)`` float32, 0 where it names none.

    Args:
        path: The table.
        item_ids: ``(n_items,)`` ids of the catalogue.
        name: What the table is, for messages.
        id_column: Name of the column with the ids.
        score_column: Name of the column with the scores.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
        report: Takes over what was found; None: it is logged.

    Raises:
        DataError: The table or one of its rows cannot be read, a row has no id or no finite number as its score, or an
            item has two scores: names the row.
    """
    own = DataReport(name)
    known = item_ids if isinstance(item_ids, pl.Series) else as_texts(item_ids)
    frame, positions, lines = _read(path, known, own, id_column, quotes)
    require_column(frame, score_column, "score_column", path)
    given = frame[score_column]
    if not given.dtype.is_numeric() and given.dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise DataError(f"The column '{score_column}' holds {given.dtype}.", where=path, expected="numbers")
    given = given if given.dtype.is_numeric() else given.cast(pl.String)
    values = given.cast(pl.Float32, strict=False).fill_null(np.nan).to_numpy()
    _require(np.isfinite(values), "has no number as its score", path, frame[id_column], lines)
    rows = np.flatnonzero(positions >= 0)
    scores = np.zeros(len(known), dtype=np.float32)
    scores[positions[rows][::-1]] = values[rows][::-1]  # the first of an item stays
    same = np.ones(frame.height, dtype=bool)
    same[rows] = scores[positions[rows]] == values[rows]
    _require(same, "is named twice, with two scores", path, frame[id_column], lines)
    own.add("duplicate-items", len(rows) - len(np.unique(positions[rows])))
    own.facts["items"] = len(rows)
    if report is not None:
        report.merge(own)
    else:
        for line in own.lines():
            logger.warning("%s", line)
    return scores


def _read(
    path: Path | str, known: pl.Series, report: DataReport, id_column: str, quotes: Quotes
) -> tuple[pl.DataFrame, np.ndarray, Lines]:
    """The table, the place of every row's item in the catalogue ``(n_rows,)`` int64 (-1: unknown), and the lines."""
    frame, lines = read_rows(path, report, quotes=quotes)
    broken = next((one for one in report.problems if one.kind == "broken-rows"), None)
    if broken is not None:
        raise DataError(
            f"{counted(broken.count, 'row')} of the {report.table} cannot be read.",
            where=f"{path}: {'; '.join(broken.examples)}",
            expected="every row as it is meant: what is not read would be ignored",
            hint=broken.advice or "Correct these rows; quote fields that hold the separator.",
        )
    if id_column not in frame.columns and (positions_of(frame.columns[:1], known) >= 0).any():
        raise DataError(
            f"The first line of the {report.table} is an item, not a heading.",
            where=f"{path}: {frame.columns[0]!r}",
            expected=f"a first line with the names of the columns: {id_column}",
            hint="Add such a line to the file.",
        )
    require_column(frame, id_column, "id_column", path)
    codes, unique = clean_ids(frame[id_column], report, lines, path)
    _require(codes >= 0, "is no item id", path, frame[id_column], lines)
    found = positions_of(unique, known)
    strange = unique.filter(pl.Series(found < 0))
    positions = found[codes]
    names = [f"{one!r}" for one in strange.head(N_EXAMPLES).to_list()]
    advice = other_spelling(strange, known, f"the {report.table}")
    report.add("unknown-list-items", int((positions < 0).sum()), names, advice)
    return frame, positions, lines


def _require(good: np.ndarray, what: str, path: Path | str, ids: pl.Series, lines: Lines) -> None:
    wrong = np.flatnonzero(~good)
    if len(wrong):
        row = int(wrong[0])
        more = f" {counted(len(wrong) - 1, 'more row')} like this." if len(wrong) > 1 else ""
        raise DataError(
            f"Item {ids[row]!r} {what}.{more}",
            where=f"{path}, {lines.of(row)}",
            expected="an item in every row, and one finite number beside it where there are scores",
        )
