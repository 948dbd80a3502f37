"""Tables that do not fit in memory, piece by piece: a file or a folder of files, each of any kind that genrec reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from genrec.data.columns import require_column
from genrec.data.delimited import parse_delimited
from genrec.data.jsonlines import parse_json_lines
from genrec.data.report import DataReport
from genrec.data.tables import first_line, raw_chunks, require_utf8, table_kind
from genrec.errors import DataError

BLOCK = 1 << 24
"""Bytes of text, or about as many values, that are read at once."""
_ROWS = 1 << 19
_QUOTE, _NEWLINE = 34, 10


def table_files(source: Path | str) -> list[Path]:
    """The tables that a path names: itself, or every table of a folder, by name.

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
    return tables


def table_pieces(
    source: Path | str, columns: Sequence[str], report: DataReport, *, options: Sequence[str] = ()
) -> Iterator[pl.DataFrame]:
    """Rows of a table, some columns only, in pieces of bounded size.

    Rows that cannot be read are left out and counted in ``report``.

    Args:
        source: A file, or a folder whose files are the parts of one table.
        columns: Columns to read; every piece has exactly these.
        report: Counts what was left out.
        options: For each column the Python argument that maps it, for messages.

    Raises:
        DataError: A file cannot be read, or lacks a column.
    """
    named = list(zip(columns, options or columns, strict=True))
    broken, examples = 0, []
    for path in table_files(source):
        if table_kind(path) == "parquet":
            yield from _parquet_pieces(path, named)
            continue
        for frame, lost, where in _text_pieces(path, named):
            broken += lost
            examples += where
            yield frame
    report.add("broken-rows", broken, examples)


def _is_table(path: Path) -> bool:
    try:
        table_kind(path)
    except DataError:
        return False
    return True


def _parquet_pieces(path: Path, named: list[tuple[str, str]]) -> Iterator[pl.DataFrame]:
    try:
        scan = pl.scan_parquet(path)
        header = pl.DataFrame(schema=scan.collect_schema())
        for name, option in named:
            require_column(header, name, option, path)
        yield from scan.select([name for name, _ in named]).collect_batches(chunk_size=_ROWS)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        what = f"The parquet file is damaged: {first_line(error)}"
        raise DataError(what, where=path, expected="a parquet file") from None


def _text_pieces(path: Path, named: list[tuple[str, str]]) -> Iterator[tuple[pl.DataFrame, int, list[str]]]:
    kind, head, first = table_kind(path), b"", 1
    for block in _blocks(path, quoted=kind == "csv"):
        require_utf8(block, path, first)
        if kind == "jsonl":
            schema = {name: None for name, _ in named}
            parsed = parse_json_lines(block, path, first_line=first)
            frame = parsed.frame
            if not set(schema) <= set(frame.columns) and first > 1:  # a piece whose rows all lack an optional value
                frame = frame.with_columns(pl.lit(None).alias(name) for name in schema if name not in frame.columns)
        else:
            parsed = parse_delimited(head + block, "\t" if kind == "tsv" else ",", path)
            frame = parsed.frame
            if not head:
                head = block.lstrip(b"\r\n").split(b"\n", 1)[0] + b"\n"
        for name, option in named:
            require_column(frame, name, option, path)
        wanted = frame.select(pl.col(name).cast(pl.String) for name, _ in named)
        yield wanted, parsed.broken, parsed.examples
        first += block.count(b"\n")


def _blocks(path: Path, *, quoted: bool) -> Iterator[bytes]:
    """Text in blocks that end with a row: a line break inside a quoted field does not end one."""
    rest = b""
    for chunk in raw_chunks(path):
        rest += chunk
        if len(rest) < BLOCK:
            continue
        stop = _last_row_end(rest) if quoted else rest.rfind(b"\n") + 1
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
