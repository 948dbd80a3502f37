"""Tables that do not fit in memory, piece by piece: a file or a folder of files, each of any kind that genrec reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from genrec.data.columns import as_strings, require_column, require_different
from genrec.data.delimited import Parsed, Quotes, parse_delimited
from genrec.data.jsonlines import parse_json_lines
from genrec.data.parquet import first_line, parquet_columns, parquet_pieces
from genrec.data.report import DataReport, Lines
from genrec.data.signs import without_nul
from genrec.data.tables import raw_chunks, require_utf8, table_kind
from genrec.errors import DataError

BLOCK = 1 << 24
"""Bytes of text, or about as many values, that are read at once."""
_ROWS = 1 << 19
_QUOTE, _NEWLINE = 34, 10


def table_files(source: Path | str) -> list[Path]:
    """The tables that a path names: itself, or every table of a folder, by name.

    Files of no bytes, which engines write for parts without rows, are passed over where another has some.

    Raises:
        DataError: There is none, or the files of a folder are of several kinds.
    """
    source = Path(source)
    if not source.is_dir():
        table_kind(source)
        return [source]
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith((".", "_")))
    tables = [path for path in files if _is_table(path)]
    if not tables:
        raise DataError("This folder holds no table.", where=source, expected="csv, tsv, jsonl or parquet files")
    kinds = sorted({table_kind(path) for path in tables})
    if len(kinds) > 1:
        raise DataError(
            f"This folder holds tables of several kinds: {', '.join(kinds)}.",
            where=source,
            expected="files of one kind, the parts of one table",
        )
    return [path for path in tables if path.stat().st_size] or tables


def table_pieces(
    source: Path | str,
    columns: Sequence[str],
    report: DataReport,
    *,
    options: Sequence[str] = (),
    quotes: Quotes = "doubled",
) -> Iterator[pl.DataFrame]:
    """Rows of a table, some columns only, all as String, in pieces of bounded size.

    Rows, and what is wrong with them, are counted in ``report``; those that cannot be read are left out.

    Args:
        source: A file, or a folder whose files are the parts of one table.
        columns: Columns to read; every piece has exactly these.
        report: Counts rows, and what was left out or changed.
        options: For each column the Python argument that maps it, for messages.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.

    Raises:
        DataError: A file cannot be read, or lacks a column.
    """
    require_different(columns, source)
    named = list(zip(columns, options or columns, strict=True))
    rows = 0
    report.add("broken-rows", 0)
    for path in table_files(source):
        parquet = table_kind(path) == "parquet"
        for parsed in _parquet_pieces(path, named) if parquet else _text_pieces(path, named, quotes):
            rows += parsed.frame.height + parsed.broken
            report.read(rows)
            report.add_to("broken-rows", parsed.broken, parsed.examples)
            report.add_to("replaced-signs", parsed.replaced, parsed.replaced_at)
            report.add_to("repeated-keys", parsed.repeated, parsed.repeated_at)
            wanted = [_text(parsed.frame[name], path) for name, _ in named]
            yield without_nul(pl.DataFrame(wanted), report, parsed.lines)


def _text(series: pl.Series, path: Path) -> pl.Series:
    """A column of ids or times as text."""
    if series.dtype.is_temporal() and series.dtype not in (pl.Time, pl.Duration):
        try:
            return series.cast(pl.String)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise DataError(f"The column '{series.name}' cannot be read: {first_line(error)}.", where=path) from None
    return as_strings(series, path)


def _is_table(path: Path) -> bool:
    try:
        table_kind(path)
    except DataError:
        return False
    return True


def _parquet_pieces(path: Path, named: list[tuple[str, str]]) -> Iterator[Parsed]:
    header = pl.DataFrame(schema=dict.fromkeys(parquet_columns(path), pl.Null))
    for name, option in named:
        require_column(header, name, option, path)
    first = 1
    for frame in parquet_pieces(path, _ROWS, [name for name, _ in named]):
        yield Parsed(frame, Lines("row", first))
        first += frame.height


def _text_pieces(path: Path, named: list[tuple[str, str]], quotes: Quotes) -> Iterator[Parsed]:
    kind, head, first = table_kind(path), b"", 1
    for block in _blocks(path, None if kind == "jsonl" or quotes == "none" else quotes):
        require_utf8(block, path, first)
        if kind == "jsonl":
            parsed = parse_json_lines(block, path, first_line=first)
            if first > 1 or not parsed.frame.height:  # a piece whose rows all lack an optional value
                missing = [name for name, _ in named if name not in parsed.frame.columns]
                parsed = replace(parsed, frame=parsed.frame.with_columns(pl.lit(None).alias(name) for name in missing))
        else:
            separator, at = "\t" if kind == "tsv" else ",", first - bool(head)
            parsed = parse_delimited(head + block, separator, path, quotes=quotes, first_line=at, whole=False)
            head = parsed.header
        for name, option in named:
            require_column(parsed.frame, name, option, path)
        yield parsed
        first += block.count(b"\n")


def _blocks(path: Path, quotes: Quotes | None) -> Iterator[bytes]:
    """Text in blocks that end with a row: a line break inside a quoted field does not end one."""
    rest = b""
    for chunk in raw_chunks(path):
        rest += chunk
        if len(rest) < BLOCK:
            continue
        plain = rest.replace(b'\\"', b"\\ ") if quotes == "backslash" else rest
        stop = _last_row_end(plain) if quotes is not None else rest.rfind(b"\n") + 1
        if stop:
            yield rest[:stop]
            rest = rest[stop:]
    if rest.strip():
        yield rest


def _last_row_end(data: bytes) -> int:
    """Place after the last line break outside quotes, 0 if there is none."""
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    values = np.frombuffer(data, dtype=np.uint8)
    breaks = np.flatnonzero(values == _NEWLINE)
    quotes = np.flatnonzero(values == _QUOTE)
    outside = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0
