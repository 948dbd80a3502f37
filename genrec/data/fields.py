"""Fields of a catalogue made uniform: lists, objects, numbers, text."""

from __future__ import annotations

import json
from typing import Any, Literal

import polars as pl

from genrec.data.jsonlines import python_literal, too_deep
from genrec.data.markup import plain_field
from genrec.data.money import read_amounts, read_money
from genrec.data.report import N_EXAMPLES, DataReport, Lines
from genrec.data.rules import MISSING
from genrec.data.signs import REPLACEMENT, mended, without_nul
from genrec.errors import ConfigError, DataError

Html = Literal["plain", "keep"]
"""What becomes of HTML entities and tags in text: plain text, or nothing is done."""
LEAVE_OUT = "Write the table without this column, or with text in it."
_NUMBER = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$"
_COMMA_NUMBER = r"^-?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d+)?$"
_SURELY_DECIMAL = r",(?:\d{1,2}|\d{4,})$"
_LONGEST_EXACT = 15
_LONGEST_NUMBER = 4096


def typed_columns(frame: pl.DataFrame, text: set[str], report: DataReport) -> pl.DataFrame:
    """Columns of a csv or tsv table with the types that JSON lines of the same values would have.

    A column whose values are all numbers in the notation of JSON becomes Int64 or Float64; leading zeros make text, as
    do integers of more than 64 bits. Numbers with a decimal comma (``1.299,50``) are numbers where a whole column has
    them, and so are those with thousands (``1,299.50``); ``1,299`` alone may be either, and stays text. A column of
    ``true`` and ``false`` is written in small letters.

    Args:
        frame: String columns.
        text: Columns that stay as they are: ids, titles.
        report: Counts columns with decimal commas, or with commas between thousands.
    """
    columns = [_with_points(frame[name]) for name in frame.columns if name not in text]
    changed = [f"field '{new.name}': {frame[new.name].drop_nulls()[0]!r}" for new, had in columns if had]
    report.add("decimal-commas", len(changed), changed)
    return frame.with_columns(_without_thousands(_typed(new), report) for new, _ in columns)


def _without_thousands(series: pl.Series, report: DataReport) -> pl.Series:
    """A column of text as numbers where all of it are, some with commas between thousands."""
    if series.dtype != pl.String:
        return series
    found = read_amounts(series)
    if not (found.complete and found.marked and found.currency is None) or found.numbers is None:
        return series
    report.add_to("amounts", 1, [_as_read(series, found.numbers)])
    return found.numbers


def _as_read(before: pl.Series, numbers: pl.Series, currency: str | None = None) -> str:
    """What was read as what, shown by the longest text of a field."""
    row = int(before.set(numbers.is_null(), None).str.len_chars().arg_max() or 0)
    return f"field '{before.name}': {before[row]!r} is {numbers[row]}" + (f", in {currency}" if currency else "")


def without_money(field: pl.Series, report: DataReport) -> tuple[pl.Series, str | None]:
    """A field with its amounts of money as numbers where that is sure, and their currency; what was done is told.

    Args:
        field: Of any type; only text is looked at.
        report: Counts columns.
    """
    if field.dtype != pl.String:
        return field, None
    numbers, currency, doubt = read_money(field)
    if doubt is not None:
        report.add_to("amounts-as-text", 1, [f"field '{field.name}': {doubt}"])
    if currency is not None:
        report.add_to("amounts", 1, [_as_read(field, numbers, currency)])
    return numbers, currency


def _with_points(series: pl.Series) -> tuple[pl.Series, bool]:
    """A column of text with the points of JSON where all of it are numbers with decimal commas; and whether it was."""
    if series.dtype != pl.String:
        return series, False
    values = series.str.strip_chars()
    filled = values.filter(~values.is_in(MISSING))
    if not filled.str.contains(_SURELY_DECIMAL).any() or not filled.str.contains(_COMMA_NUMBER).all():
        return series, False
    return values.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True), True


def _typed(series: pl.Series) -> pl.Series:
    if series.dtype != pl.String:
        return series
    values = series.str.strip_chars()
    values = values.set(values.is_in(MISSING), None)
    filled = values.drop_nulls()
    if not len(filled):
        return series
    if filled.str.to_lowercase().is_in(["true", "false"]).all():
        return values.str.to_lowercase()
    if not filled.str.contains(_NUMBER).all():
        return series
    integers = filled.str.contains(r"^-?\d+$")
    if integers.all():
        numbers = values.cast(pl.Int64, strict=False)
        return series if numbers.null_count() > values.null_count() else numbers
    longest = filled.filter(integers).str.len_chars().max() or 0
    numbers = values.cast(pl.Float64, strict=False)
    return series if int(longest) > _LONGEST_EXACT or not numbers.drop_nulls().is_finite().all() else numbers  # type: ignore[call-overload, arg-type]


def read_field(series: pl.Series, report: DataReport, lines: Lines, *, html: Html = "plain") -> pl.Series:
    """A field of the catalogue as String, numbers or List(String), without HTML; what was changed is counted.

    Args:
        series: Any column.
        report: Counts what was changed.
        lines: Places of the rows.
        html: What becomes of HTML.

    Raises:
        DataError: The column holds bytes.
        ConfigError: Unknown word for ``html``.
    """
    if html not in ("plain", "keep"):
        raise ConfigError(f"html is {html!r}.", where="html", expected="plain or keep")
    field, replaced = _uniform(series)
    if field.dtype in (pl.String, pl.List(pl.String)):
        field = without_nul(field.to_frame(), report, lines).to_series()
    if field.dtype == pl.String:
        field = field.set(field == "", None)
    report.add_to("replaced-signs", len(replaced), lines.examples(replaced, [f"field '{series.name}'"] * N_EXAMPLES))
    if html == "plain" and (field.dtype == pl.String or isinstance(field.dtype, pl.List)):
        field, changed = plain_field(field)
        rows = changed.arg_true().to_list()
        shown = [f"field '{series.name}': {_short(field[row])}" for row in rows[:N_EXAMPLES]]
        report.add_to("html", len(rows), lines.examples(rows, shown))
    return field


def _short(value: Any) -> str:
    return repr(str(value if isinstance(value, str) else ", ".join(value))[:60])


def _uniform(series: pl.Series) -> tuple[pl.Series, list[int]]:
    """A field as String, numbers or List(String), and the rows whose text held signs that no text may hold.

    Lists keep their text entries, lists in lists are joined with ``" > "`` (category paths), objects become a list of
    ``key: value``, text that is a JSON or Python list or object in every row becomes a list, dates become ISO text.
    """
    kind = series.dtype
    if isinstance(kind, pl.Array):
        series = series.arr.to_list()
    if isinstance(kind, pl.List | pl.Array):
        return _list_field(series), []
    if kind.is_nested() and not isinstance(kind, pl.Struct):  # maps
        return _listed(series), []
    if isinstance(kind, pl.Struct):
        series, kind = _json_of(series), pl.String()
    if kind == pl.String:
        return _parsed_field(series)
    if kind.is_float():
        # by way of text: 9.99 in 32 bits is 9.99, not 9.9899997
        series = series.cast(pl.String) if kind == pl.Float32 else series
        numbers = series.cast(pl.Float64)
        return numbers.set(~numbers.is_finite(), None), []
    if kind.is_integer():
        numbers = series.cast(pl.Int64, strict=False)
        return (series.cast(pl.String) if numbers.null_count() > series.null_count() else numbers), []
    if kind == pl.Binary or kind == pl.Object:
        what = "bytes" if kind == pl.Binary else "objects"
        raise DataError(
            f"The field '{series.name}' holds {what}.", expected="text, numbers or lists of text", hint=LEAVE_OUT
        )
    if kind == pl.Duration:
        return series.dt.to_string("polars"), []
    if kind == pl.Boolean:
        return series.replace_strict({True: "true", False: "false"}, return_dtype=pl.String), []
    return series.cast(pl.Float64 if kind.is_decimal() else pl.String), []


def _list_field(series: pl.Series) -> pl.Series:
    inner = series.dtype.inner  # type: ignore[attr-defined]
    lists = isinstance(inner, pl.List | pl.Array)
    if inner.inner.is_nested() if lists else inner.is_nested():
        return _listed(series)
    if lists:
        series = series.cast(pl.List(pl.List(inner.inner)))
        series = series.list.eval(pl.element().cast(pl.List(pl.String)).list.drop_nulls().list.join(" > "))
    return series.cast(pl.List(pl.String)).list.drop_nulls()


def _listed(series: pl.Series) -> pl.Series:
    """A nested column as texts, row by row."""
    return pl.Series(series.name, [_entries(row) for row in series.to_list()], dtype=pl.List(pl.String))


def _json_of(series: pl.Series) -> pl.Series:
    rows = [None if row is None else json.dumps(row, ensure_ascii=False, default=str) for row in series.to_list()]
    return pl.Series(series.name, rows, dtype=pl.String)


def _parsed_field(series: pl.Series) -> tuple[pl.Series, list[int]]:
    """Lists from text such as ``["a", "b"]`` or ``{"key": "value"}``, if every filled row is like that."""
    filled = series.set(series.str.strip_chars().is_in(MISSING), None)
    looks = filled.drop_nulls().str.contains(r"(?s)^\s*(\[.*\]|\{.*\})\s*$")
    if not len(looks) or not looks.all():
        return series, []
    rows: list[list[str] | None] = []
    replaced: list[int] = []
    for row, text in enumerate(filled.to_list()):
        value = None if text is None else _literal(text)
        if text is not None and value is None:
            return series, []
        entries = None if value is None else _entries(value)
        clean = entries and [mended(entry) for entry in entries]
        if clean and "".join(clean).count(REPLACEMENT) > "".join(entries or ()).count(REPLACEMENT):
            replaced.append(row)
        rows.append(clean)
    return pl.Series(series.name, rows, dtype=pl.List(pl.String)), replaced


def _literal(text: str) -> Any:
    """A list or mapping written as JSON or as Python, else None."""
    if too_deep(text.encode()):
        return None
    for read in (json.loads, python_literal):
        try:
            value = read(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, list | dict):
            return value
    return None


def _entries(value: Any) -> list[str] | None:
    """Texts of a nested value: items of a list, ``key: value`` of a mapping, paths of a list of lists."""
    if value is None:
        return None
    if isinstance(value, dict):
        pairs = ((key, _flat(entry)) for key, entry in value.items())
        return [f"{key}: {text}" for key, text in pairs if text]
    return [_flat(entry) for entry in value if entry is not None]


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(_entries(value) or ())
    if isinstance(value, list | tuple):
        return " > ".join(_flat(entry) for entry in value if entry is not None)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return hex(value)  # Python refuses to write very long numbers in decimals
    return "" if value is None else str(value)
