"""Names that stand inside objects of JSON, one level below the columns of a table, and how to take them out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from genrec.data.packed import PACKED, inner_suffix, packed_start

_LOOK = 1 << 16
_FIRST = 50
_DEEPEST = 5
_NO_JSON = (".csv", ".tsv", ".parquet")


def inside_hint(frame: pl.DataFrame, matches: Callable[[list[str]], str | None], where: object = None) -> str | None:
    """How to take a missing column out of objects, as shops export the lines of an order and trackers their events.

    Args:
        frame: The table.
        matches: Which of some names is the missing column, or None.
        where: Its file; the command is for JSON lines alone.
    """
    for name in frame.columns:
        for value in _values(frame[name]):
            for path, keys in _objects(value, _step(name)):
                if (found := matches(keys)) is not None:
                    return _taking_out(name, found, path, where)
    return None


def holds_objects(series: pl.Series) -> bool:
    """Whether a column holds objects or lists of them, also as JSON text."""
    return next((True for value in _values(series) for _ in _objects(value, "")), False)


def _taking_out(name: str, found: str, path: str, where: object) -> str:
    many = path.endswith("?")
    told = f"It may be '{found}' in the {'lists' if many else 'objects'} of '{name}'."
    if inner_suffix(Path(str(where))) in _NO_JSON:
        return f"{told} Make a column of it{', and a row of each entry of a list' if many else ''}."
    program = shlex.quote(f". + {path} | del({_step(name)})")
    makes = "a row of each of their entries" if many else "columns of what they hold"
    return f"{told} This makes {makes}: jq -c {program} FILE > NEW.jsonl"


def _step(key: str) -> str:
    return f".{json.dumps(key, ensure_ascii=False)}"


def _values(series: pl.Series) -> Iterator[object]:
    """The first lists and objects of a column."""
    kind = series.dtype
    if kind.is_nested():
        yield from series.drop_nulls().head(_FIRST).to_list()
    elif kind == pl.String:
        texts = series.filter(series.str.contains(r"^\s*[\[{]").fill_null(False)).head(_FIRST)
        yield from (_json(text) for text in texts)


def _objects(value: object, path: str, depth: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Keys of the objects in a value, each with the jq path to them."""
    if depth == _DEEPEST:
        return
    if isinstance(value, str) and value[:1] in ("[", "{"):
        value = _json(value)
    if isinstance(value, list) and value:
        yield from _objects(value[0], f"{path}[]?", depth + 1)
    elif isinstance(value, dict):
        yield path, list(value)
        for key, inner in value.items():
            yield from _objects(inner, path + _step(key), depth + 1)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_file_hint(path: Path) -> str:
    """How to make one object a line of a file that is one JSON array, or an object around one."""
    start = packed_start(path, _LOOK).decode("utf-8-sig", errors="replace").lstrip()
    packing = path.suffix if path.suffix.lower() in PACKED else ""
    stem = Path(path.stem).stem if packing else path.stem
    program = ".[]"
    if start.startswith("{"):
        key, rest = _first_key(start)
        if "\n{" in start.rstrip() or not rest.startswith("["):
            return f"For one JSON object a line the suffix is .jsonl: rename it to {stem}.jsonl{packing}."
        program = f".{json.dumps(key, ensure_ascii=False)}[]"
    unpack = f"Unpack it to {stem}.json. " if packing else ""
    return (
        f"{unpack}Make one JSON object a line of it: jq -c "
        f"{shlex.quote(program)} {shlex.quote(stem + '.json')} > {shlex.quote(stem + '.jsonl')}"
    )


def _first_key(start: str) -> tuple[str, str]:
    """The first key of an object, and the text of its value."""
    try:
        key, end = json.JSONDecoder().raw_decode(start[1:].lstrip())
    except ValueError:
        return "", ""
    rest = start[1:].lstrip()[end:].lstrip().removeprefix(":").lstrip()
    return (key, rest) if isinstance(key, str) else ("", "")
