"""The columns of an interactions table: which one is the time, what is wrong with the times, which part a row is in."""

from __future__ import annotations

import shlex

import numpy as np
import polars as pl

from genrec.data.columns import HISTORY_NAMES, as_strings, require_column
from genrec.data.guesses import likely_time
from genrec.data.likely_columns import nearest_column
from genrec.data.report import N_EXAMPLES, DataReport, Lines
from genrec.data.time_units import dates_as_numbers
from genrec.data.timestamps import Times, day_of, looks_like_days
from genrec.errors import DataError
from genrec.schema import Columns
from genrec.wording import count as counted

PARTS = ("train", "validation", "test")
_PART_NAMES = {"train": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2}


def find_time_column(frame: pl.DataFrame, name: str | None, others: tuple[str | None, ...], where: str) -> str | None:
    """The time column, or None for the order of the rows; a column that looks like a forgotten time is refused."""
    if name is None or name in frame.columns:
        return name
    rest = [column for column in frame.columns if column not in others]
    history = next((column for column in HISTORY_NAMES if column in rest), None)
    if history is not None and likely_time(frame, skip=[column for column in others if column]) is None:
        raise DataError(
            f"This table has one case a row: the column '{history}' holds what came before.",
            where=where,
            expected="one interaction a row, with its time",
            hint="Make interactions of it with genrec data cases, or measure on these cases with genrec evaluate "
            "--cases. Or take the order of the rows: --time-column none (time_column=None in Python).",
        )
    near = nearest_column(rest, name)
    if name != Columns.Timestamp:
        require_column(frame, name, "time_column", where)
    near = likely_time(frame, skip=[column for column in others if column]) if near is None else near
    if near is None:
        return None
    raise DataError(
        f"There is no column '{name}', but '{near}' may be the time.",
        where=where,
        expected=f"'{name}' among the columns, which are: {', '.join(frame.columns)}",
        hint=f"Pass --time-column {shlex.quote(near)} (time_column={near!r} in Python), "
        "or --time-column none (time_column=None in Python) to use the order of the rows.",
    )


def note_times(times: Times, given: pl.Series, keep: np.ndarray, report: DataReport, lines: Lines) -> None:
    """Count what is wrong with the times of the rows that are kept so far; one example of every form."""
    lost = np.flatnonzero(keep & ~times.readable)
    texts = given.gather(lost).cast(pl.String, strict=False).fill_null("")
    forms = texts.str.replace_all(r"\d+", "0").str.replace_all(r"\p{L}+", "a")
    first = forms.is_first_distinct().to_numpy()
    shown = lost[np.sort(np.r_[np.flatnonzero(first), np.flatnonzero(~first)][:N_EXAMPLES])]
    report.add("unreadable-timestamps", len(lost), lines.examples(shown, [repr(given[int(row)]) for row in shown]))
    days = times.kind in ("integer", "decimal") and looks_like_days(times.values[keep & times.readable])
    first = np.flatnonzero(keep & times.readable)[:1]
    shown = [f"{given[int(row)]} is {day_of(float(given[int(row)]))}" for row in first] if days else []
    report.add("day-numbers", int((keep & times.readable).sum()) if days else 0, lines.examples(first, shown))
    if times.kind == "integer" and dates_as_numbers(times.values[keep & times.readable]):
        shown = [str(given[int(row)]) for row in first]
        report.add("dates-as-numbers", int((keep & times.readable).sum()), lines.examples(first, shown))
    report.add("fractional-timestamps", 0 if days else times.fractional)
    if times.slashes is not None:
        shown = [f"{times.slashes.order}: {times.slashes.proof!r} can mean nothing else"]
        report.add("slash-dates", times.slashes.rows, shown)
    if times.mixed is not None:
        odd = np.flatnonzero(keep & times.mixed.odd)
        counts = ", ".join(f"{counted(count, 'row')} in {unit}" for unit, count in times.mixed.counts.items())
        shown = [f"{given[row]} among {counts}" for row in odd[:1].tolist()]
        report.add("mixed-time-units", len(odd), lines.examples(odd[:1], shown))


def read_parts(frame: pl.DataFrame, name: str, where: str) -> np.ndarray:
    """The part of every row, ``(n_rows,)`` int8 positions in :data:`PARTS`."""
    require_column(frame, name, "part_column", where)
    words = as_strings(frame[name], where).str.strip_chars().str.to_lowercase()
    parts = words.replace_strict(_PART_NAMES, default=None, return_dtype=pl.Int8)
    if parts.null_count():
        wrong = frame[name].filter(parts.is_null())[0]
        raise DataError(f"The part {wrong!r} is unknown.", where=f"{where}, column {name}", expected=", ".join(PARTS))
    return parts.to_numpy()
