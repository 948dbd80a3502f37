"""Reading JSON lines: polars for whole files, line by line where a file has broken lines."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from genrec.data.delimited import Parsed
from genrec.data.report import N_EXAMPLES, Lines
from genrec.errors import DataError

Record = dict[str, Any]
_BLOCK = 1 << 22


def parse_json_lines(
    data: bytes, where: object, schema: Mapping[str, Any] | None = None, *, first_line: int = 1
) -> Parsed:
    """Read one JSON object a line; lines that are not are left out.

    Objects inside objects come as JSON text (String), so that rarely used keys cost nothing.

    Args:
        data: UTF-8 text.
        where: The file, for messages.
        schema: Types of the wanted columns; others are skipped. None: all columns, types found in the whole file.
        first_line: Number of the first line.

    Raises:
        DataError: The text is a JSON array.
    """
    if data[:64].lstrip()[:1] == b"[":
        raise DataError(
            "The file is one JSON array.",
            where=where,
            expected="one JSON object a line",
            hint="Convert it: jq -c '.[]' FILE > FILE.jsonl",
        )
    data = data.rstrip()
    frame = _read(data, schema)
    if frame is not None:
        return Parsed(frame, Lines("line", first_line))
    data, numbers, broken = _without_broken(data, first_line)
    frame = _read(data, schema) if len(numbers) else pl.DataFrame(schema=dict(schema or {}))
    if frame is None:  # values that polars has no type for, such as NaN
        frame = parse_records(data, json.loads, fields=schema).frame
    return Parsed(frame, Lines("line", first_line, numbers), len(broken), broken[:N_EXAMPLES])


def _read(data: bytes, schema: Mapping[str, Any] | None) -> pl.DataFrame | None:
    """The table, or None when polars cannot read exactly one object from every line."""
    try:
        frame = pl.read_ndjson(io.BytesIO(data), schema=dict(schema or _infer(data)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    return frame if frame.height == data.count(b"\n") + 1 else None


def _without_broken(data: bytes, first_line: int) -> tuple[bytes, np.ndarray, list[str]]:
    """Cut out blank and broken lines; only the blocks that polars refuses are looked at line by line.

    Returns:
        The rest of the text, the line numbers ``(n,)`` int64 of its lines, and what is wrong with each broken line.
    """
    kept: list[bytes] = []
    numbers: list[np.ndarray] = []
    broken: list[str] = []
    at, line = 0, first_line
    while at < len(data):
        stop = data.find(b"\n", at + _BLOCK)
        block = data[at : len(data) if stop < 0 else stop]
        at += len(block) + 1
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
    numbers: list[int] = []
    broken: list[str] = []
    for number, raw in enumerate(io.BytesIO(data), start=first_line):
        line = raw.decode().strip()
        if not line:
            continue
        record = _record(line, read)
        if isinstance(record, str):
            broken.append(f"line {number}: {record}")
            continue
        for name in record if fields is None else columns:
            values = columns.setdefault(name, [])
            values.extend([None] * (len(numbers) - len(values)))
            values.append(record.get(name))
        numbers.append(number)
    series = [column(name, values + [None] * (len(numbers) - len(values))) for name, values in columns.items()]
    lines = Lines("line", first_line, np.array(numbers, dtype=np.int64))
    return Parsed(pl.DataFrame(series), lines, len(broken), broken[:N_EXAMPLES])


def _record(line: str, read: Callable[[str], Any]) -> Record | str:
    """The mapping of a line, or what is wrong with it."""
    try:
        record = read(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        return str(error).split("\n")[0][:100]
    return record if isinstance(record, dict) else f"{type(record).__name__} instead of an object"


def column(name: str, values: list[Any]) -> pl.Series:
    """A column from Python values: String, Int64, Float64, Boolean or List(String), whichever holds them all."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, dtype=pl.Boolean if kinds else pl.String)
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float} and float in kinds:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if kinds <= {list, tuple}:
        rows = [None if v is None else [_text(x) for x in v if x is not None] for v in values]
        return pl.Series(name, rows, dtype=pl.List(pl.String))
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str:
    if isinstance(value, str):
        # halves of a sign outside the basic plane, as narrow Python builds wrote them
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | dict | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
