"""Lists and objects where an id is meant: refused with the row that holds the first of them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import polars as pl

from genrec.data.report import Lines
from genrec.data.tables import read_text, table_kind
from genrec.errors import DataError

_JSON = r'(?s)^\s*(?:\{\s*"|\[\s*["{]).*[\]}]\s*$'
_EXPECTED = "one id, a text or a whole number, in every row"
_LONGEST = 60


def refuse_lists(series: pl.Series, where: object) -> None:
    """Refuse a column of lists or objects.

    Args:
        series: The column.
        where: Its table; a file of JSON lines is searched for the first row that is wrong.

    Raises:
        DataError: It is one; names the row.
    """
    if series.dtype.is_nested():
        place, value = _first_nested(series, where)
        raise _error(series.name, value, place)


def refuse_objects(series: pl.Series, unique: pl.Series, where: object, lines: Lines) -> None:
    """Refuse ids that are JSON text of a list or an object: the id is a field inside.

    Args:
        series: ``(n_rows,)`` the column, String.
        unique: Its distinct values.
        where: Its table.
        lines: Where its rows stand.

    Raises:
        DataError: There is one; names the row.
    """
    looks = unique.filter(unique.str.contains(_JSON).fill_null(False))
    for text in looks.to_list():
        value = _json(text)
        if isinstance(value, dict | list):
            row = int((series == text).fill_null(False).arg_max() or 0)
            raise _error(series.name, value, f"{where}, {lines.of(row)}")


def _error(name: str, value: object, place: str) -> DataError:
    kind = "an object" if isinstance(value, dict) else "a list"
    shown = json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
    column = f".{json.dumps(name, ensure_ascii=False)}"
    if isinstance(value, dict):
        inner = next((key for key in value if key.lower() == "id"), None)
        inner = inner or next((key for key in value if "id" in key.lower()), "id")
        program, each = f"{column} |= (.{json.dumps(inner, ensure_ascii=False)}? // .)", ""
    else:
        program, each = f"{column} = ({column} | .[]? // .)", " (it makes a row of every entry)"
    return DataError(
        f"The column '{name}' holds {kind}, not an id: {shown}.",
        where=place,
        expected=_EXPECTED,
        hint=f"Take the id out of it, as this does{each}: jq -c {shlex.quote(program)} FILE > NEW.jsonl",
    )


def _first_nested(series: pl.Series, where: object) -> tuple[str, object]:
    """Where the first list or object stands, and what it is."""
    path = Path(str(where))
    if path.is_file() and table_kind(path) == "jsonl":
        for number, line in enumerate(read_text(path).decode().split("\n"), start=1):
            record = _json(line)
            value = record.get(series.name) if isinstance(record, dict) else None
            if isinstance(value, dict | list):
                return f"{where}, line {number}", value
    row = int(series.is_not_null().arg_max() or 0)
    return f"{where}, row {row + 1}", series.slice(row, 1).to_list()[0]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
