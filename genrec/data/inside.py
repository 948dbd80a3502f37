"""Names that stand inside objects of JSON, one level below the columns of a table, and how to take them out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl

_LOOK = 1 << 16


def inside_hint(frame: pl.DataFrame, matches: Callable[[list[str]], str | None]) -> str | None:
    """How to take a missing column out of a list of objects, as shops export the lines of an order.

    Args:
        frame: The table.
        matches: Which of some names is the missing column, or None.
    """
    for name in frame.columns:
        keys = _keys(frame[name])
        found = matches(keys) if keys else None
        if found is not None:
            column = f".{json.dumps(name, ensure_ascii=False)}"
            program = shlex.quote(f". + {column}[] | del({column})")
            return (
                f"It may be '{found}' in the lists of '{name}'. This makes a row of each of their entries: "
                f"jq -c {program} FILE > NEW.jsonl"
            )
    return None


def _keys(series: pl.Series) -> list[str]:
    """Keys of the objects in a column of lists."""
    kind = series.dtype
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
        return [field.name for field in kind.inner.fields]
    if isinstance(kind, pl.List) and kind.inner == pl.String:
        series = series.explode()
    elif kind != pl.String or not series.str.starts_with("[").fill_null(False).any():
        return []
    first = series.drop_nulls().head(1).to_list()
    try:
        value = json.loads(first[0]) if first else None
    except (ValueError, RecursionError):
        return []
    value = value[0] if isinstance(value, list) and value else value
    return list(value) if isinstance(value, dict) else []


def json_file_hint(path: Path) -> str:
    """How to make one object a line of a file that is one JSON array, or an object around one."""
    try:
        with path.open("rb") as file:
            start = file.read(_LOOK).decode("utf-8-sig", errors="replace").lstrip()
    except OSError:
        start = ""
    program = ".[]"
    if start.startswith("{"):
        key, rest = _first_key(start)
        if "\n{" in start.rstrip() or not rest.startswith("["):
            return f"For one JSON object a line the suffix is .jsonl: rename it to {path.stem}.jsonl."
        program = f".{json.dumps(key, ensure_ascii=False)}[]"
    return (
        "Make one JSON object a line of it: jq -c "
        f"{shlex.quote(program)} {shlex.quote(path.name)} > {shlex.quote(path.stem + '.jsonl')}"
    )


def _first_key(start: str) -> tuple[str, str]:
    """The first key of an object, and the text of its value."""
    try:
        key, end = json.JSONDecoder().raw_decode(start[1:].lstrip())
    except ValueError:
        return "", ""
    rest = start[1:].lstrip()[end:].lstrip().removeprefix(":").lstrip()
    return (key, rest) if isinstance(key, str) else ("", "")
