"""Reading JSON lines: polars for whole files, line by line where a file has broken lines."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from genrec.data.delimited import Parsed
from genrec.data.repeated_keys import with_keys_once
from genrec.data.report import N_EXAMPLES, Lines
from genrec.data.signs import REPLACEMENT, mended, without_halves
from genrec.errors import DataError

Record = dict[str, Any]
DEEPEST = 100
"""Most lists and objects inside each other: readers run out of stack where there are many more."""
_BLOCK = 1 << 22
_NEWLINE = b"\n"
_BLANK_LINE = re.compile(rb"\n[ \t\r\f\v]*\n")
_LONG_INTEGER = re.compile(rb"[:\s]-?[0-9]{16,}\s*[,}\s]")
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def parse_json_lines(
    data: bytes, where: object, schema: Mapping[str, Any] | None = None, *, first_line: int = 1
) -> Parsed:
    """Read one JSON object a line; lines that are not are left out.

    Objects inside objects come as JSON text (String), so that rarely used keys cost nothing. Of a key that stands
    twice the last value counts; with a ``schema``, as for public dumps, nobody looks for such keys.

    Args:
        data: UTF-8 text.
        where: The file, for messages.
        schema: Types of the wanted columns; others are skipped. None: all columns, types found in the whole file.
        first_line: Number of the first line.

    Raises:
        DataError: The text is a JSON array.
    """
    if first_line == 1 and data[:64].lstrip()[:1] == b"[":
        raise DataError(
            "The file is one JSON array.",
            where=where,
            expected="one JSON object a line",
            hint="Convert it: jq -c '.[]' FILE > FILE.jsonl",
        )
    data = data.rstrip()
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    data, halves = without_halves(data)
    places = [f"line {data.count(_NEWLINE, 0, at) + first_line}: half a surrogate pair" for at in halves[:N_EXAMPLES]]
    n_replaced = len(halves)
    frame = _read(data, schema)
    lines, broken = Lines("line", first_line), list[str]()
    if frame is None:
        data, numbers, broken = _without_broken(data, first_line)
        lines = Lines("line", first_line, numbers)
        frame = _read(data, schema) if len(numbers) else pl.DataFrame(schema=dict(schema or {}))
    if frame is None:  # values that polars has no type for, such as NaN
        slow = parse_records(data, json.loads, fields=schema)
        frame, n_replaced, places = slow.frame, n_replaced + slow.replaced, [*places, *slow.replaced_at]
    data, repeated = with_keys_once(data, frame) if schema is None else (data, {})
    if repeated:
        again = _read(data, None)
        frame = parse_records(data, json.loads).frame if again is None else again
    frame = _with_lists(frame, data) if schema is None else _with_joined_lists(frame, data)
    repeats = [f"{lines.of(row)}: {key!r} twice" for row, key in list(repeated.items())[:N_EXAMPLES]]
    found = Parsed(frame, lines, len(broken), broken[:N_EXAMPLES], repeated=len(repeated), repeated_at=repeats)
    return replace(found, replaced=n_replaced, replaced_at=places)


def _read(data: bytes, schema: Mapping[str, Any] | None) -> pl.DataFrame | None:
    """The table, or None when polars cannot read exactly one object from every line."""
    if _BLANK_LINE.search(data) or _has_deep_line(data):
        return None
    try:
        frame = pl.read_ndjson(io.BytesIO(data), schema=dict(schema or _infer(data)))
        if schema is None:
            frame = _with_exact_integers(frame, data)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    return frame if frame.height == data.count(b"\n") + 1 else None


def _with_exact_integers(frame: pl.DataFrame, data: bytes) -> pl.DataFrame:
    """Columns of decimals that also hold integers which a decimal cannot: as text, so that no digit is lost."""
    decimals = [name for name, kind in frame.schema.items() if kind == pl.Float64]
    if not decimals or not _LONG_INTEGER.search(data):
        return frame
    texts = pl.read_ndjson(io.BytesIO(data), schema=dict.fromkeys(decimals, pl.String))
    return frame.with_columns(
        texts[name] for name in decimals if texts[name].str.contains(r"^-?\d{16,}$").fill_null(False).any()
    )


def _with_lists(frame: pl.DataFrame, data: bytes) -> pl.DataFrame:
    """Columns that are a list in one line and text in another, which polars reads as text: as lists."""
    mixed = [column(name, values) for name, values in _mixed_columns(frame, data)]
    return frame.with_columns(mixed) if mixed else frame


def _with_joined_lists(frame: pl.DataFrame, data: bytes) -> pl.DataFrame:
    """The same columns as text, where text is wanted: entries joined with a comma."""
    mixed = [
        pl.Series(
            name, [", ".join(map(_text, one)) if isinstance(one, list) else one for one in values], dtype=pl.String
        )
        for name, values in _mixed_columns(frame, data)
    ]
    return frame.with_columns(mixed) if mixed else frame


def _mixed_columns(frame: pl.DataFrame, data: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Text columns of which some values were lists in the file, with these lists."""
    for name, kind in frame.schema.items():
        if kind != pl.String or not re.search(re.escape(json.dumps(name).encode()) + rb"\s*:\s*\[", data):
            continue
        looks = frame[name].str.contains(r"(?s)^\[.*\]$").fill_null(False).to_list()
        values = [_json_list(text) if found else text for text, found in zip(frame[name], looks, strict=True)]
        if any(isinstance(value, list) for value in values):
            yield name, values


def too_deep(line: bytes) -> bool:
    """Whether lists and objects of a line stand more than :data:`DEEPEST` inside each other."""
    if line.count(b"{") + line.count(b"[") <= DEEPEST:
        return False
    depth = 0
    for sign in _JSON_STRING.sub(b"", line):
        depth += _BRACKETS.get(sign, 0)
        if depth > DEEPEST:
            return True
    return False


def python_literal(text: str) -> Any:
    """The value of a Python literal, which is read and never run.

    Raises:
        ValueError: It is none (or SyntaxError, TypeError, MemoryError, RecursionError).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of signs after a backslash that mean nothing
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.literal_eval(text)


def _json_list(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _has_deep_line(data: bytes) -> bool:
    for block in _blocks(data):
        if block.count(b"{") + block.count(b"[") <= DEEPEST:
            continue
        signs = np.frombuffer(block, np.uint8)
        opened = np.flatnonzero((signs == ord("{")) | (signs == ord("[")))
        ends = np.r_[np.flatnonzero(signs == ord("\n")), len(block)]
        many = np.flatnonzero(np.diff(np.searchsorted(opened, ends), prepend=0) > DEEPEST)
        starts = np.r_[0, ends[:-1] + 1]
        if any(too_deep(block[starts[line] : ends[line]]) for line in many.tolist()):
            return True
    return False


def _blocks(data: bytes) -> Iterator[bytes]:
    """The text in pieces of whole lines, without the line end between two pieces."""
    at = 0
    while at < len(data):
        stop = data.find(b"\n", at + _BLOCK)
        yield data[at : len(data) if stop < 0 else stop]
        at = len(data) if stop < 0 else stop + 1


def _without_broken(data: bytes, first_line: int) -> tuple[bytes, np.ndarray, list[str]]:
    """Cut out blank and broken lines; only the blocks that polars refuses are looked at line by line.

    Returns:
        The rest of the text, the line numbers ``(n,)`` int64 of its lines, and what is wrong with each broken line.
    """
    kept: list[bytes] = []
    numbers: list[np.ndarray] = []
    broken: list[str] = []
    line = first_line
    for block in _blocks(data):
        rows = block.split(b"\n")
        if _read(block, None) is None:
            problems = [_problem(row) for row in rows]
            broken += [f"line {line + n}: {problem}" for n, problem in enumerate(problems) if problem]
            good = np.array([n for n, problem in enumerate(problems) if problem is None], dtype=np.int64)
            kept += [rows[n] for n in good.tolist()]
        else:
            good = np.arange(len(rows), dtype=np.int64)
            kept.append(block)
        numbers.append(good + line)
        line += len(rows)
    return b"\n".join(kept), np.concatenate(numbers), broken


def _problem(line: bytes) -> str | None:
    """What is wrong with a line; "" for a blank one, None for a good one."""
    if not line.strip():
        return ""
    if too_deep(line):
        return "nested too deeply"
    record = _record(line.decode(), json.loads)
    return record if isinstance(record, str) else None


def _infer(data: bytes) -> dict[str, Any]:
    found = pl.scan_ndjson(io.BytesIO(data), infer_schema_length=None).collect_schema()
    return {name: pl.String if isinstance(kind, pl.Struct) else kind for name, kind in found.items()}


def parse_records(
    data: bytes, read: Callable[[str], Any], *, fields: Iterable[str] | None = None, first_line: int = 1
) -> Parsed:
    """Read one mapping a line with any function; lines that it refuses are left out.

    Args:
        data: UTF-8 text.
        read: Turns a line into a mapping, or raises ``ValueError`` or ``SyntaxError``.
        fields: Only these keys (None: all, in order of first appearance).
        first_line: Number of the first line.
    """
    columns: dict[str, list[Any]] = {name: [] for name in fields or ()}
    replaced: list[str] = []
    numbers: list[int] = []
    broken: list[str] = []
    for number, raw in enumerate(io.BytesIO(data), start=first_line):
        line = raw.decode().strip()
        if not line:
            continue
        record = "nested too deeply" if too_deep(raw) else _record(line, read)
        if isinstance(record, str):
            broken.append(f"line {number}: {record}")
            continue
        for name in record if fields is None else columns:
            values = columns.setdefault(name, [])
            values.extend([None] * (len(numbers) - len(values)))
            values.append(record.get(name))
            if _is_replaced(record.get(name)):
                replaced.append(f"line {number}: {name} holds NUL or half a surrogate pair")
        numbers.append(number)
    series = [column(name, values + [None] * (len(numbers) - len(values))) for name, values in columns.items()]
    lines = Lines("line", first_line, np.array(numbers, dtype=np.int64))
    return Parsed(
        pl.DataFrame(series), lines, len(broken), broken[:N_EXAMPLES], replaced=len(replaced), replaced_at=replaced
    )


def _record(line: str, read: Callable[[str], Any]) -> Record | str:
    """The mapping of a line, or what is wrong with it."""
    try:
        record = read(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        return str(error).split("\n")[0][:100]
    return record if isinstance(record, dict) else f"{type(record).__name__} instead of an object"


def column(name: str, values: list[Any]) -> pl.Series:
    """A column from Python values: String, Int64, Float64, Boolean or List(String), whichever holds them all.

    Where lists and single values are mixed, every value is a list.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, dtype=pl.Boolean if kinds else pl.String)
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float} and float in kinds and all(_is_small(value) for value in values):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if kinds & {list, tuple} and dict not in kinds:
        rows = [value if value is None or isinstance(value, list | tuple) else [value] for value in values]
        entries = [None if row is None else [_text(entry) for entry in row if entry is not None] for row in rows]
        return pl.Series(name, entries, dtype=pl.List(pl.String))
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _is_small(value: Any) -> bool:
    """Whether a decimal holds the number exactly."""
    return not isinstance(value, int) or abs(value) <= 2**53


def _is_replaced(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_is_replaced(entry) for entry in value)
    return isinstance(value, str) and mended(value).count(REPLACEMENT) > value.count(REPLACEMENT)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | dict | bool):
        return mended(json.dumps(value, ensure_ascii=False))
    return str(value)
