"""Parquet files, with the kinds of columns that other programs write and polars does not take as they are."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from genrec.errors import DataError

_OFFSET = re.compile(r"(?:UTC|GMT)?[+-]\d{1,2}:?\d{0,2}", re.IGNORECASE)
_ANY_ZONE = "POLARS_IGNORE_TIMEZONE_PARSE_ERROR"
_LOCK = threading.Lock()


def read_parquet(path: Path, *, n_rows: int | None = None) -> pl.DataFrame:
    """A Parquet file, with its columns as :func:`plain_columns` leaves them.

    Args:
        path: The file.
        n_rows: Read no more than so many; None: all.

    Raises:
        DataError: It cannot be read.
    """
    with _one_error(path), _any_zone():
        return plain_columns(pl.read_parquet(as_source(path), n_rows=n_rows))


def parquet_pieces(path: Path, rows: int, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of a Parquet file, a piece at a time, as :func:`read_parquet` reads them.

    Raises:
        DataError: It cannot be read.
    """
    with _one_error(path):
        with _any_zone():
            pieces = pl.scan_parquet(as_source(path)).select(columns).collect_batches(chunk_size=rows)
            frame = next(pieces, None)
        while frame is not None:
            yield plain_columns(frame)
            frame = next(pieces, None)


def parquet_columns(path: Path) -> list[str]:
    """Names of the columns of a Parquet file.

    Raises:
        DataError: It cannot be read.
    """
    with _one_error(path), _any_zone():
        return pl.scan_parquet(as_source(path)).collect_schema().names()


def plain_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with what other programs write in a form that polars works with.

    Moments whose zone is an offset such as ``+05:30`` (pandas) are the same moments in UTC. Bytes that are UTF-8 (Hive,
    Impala, older Spark, which do not say that a column is text) are text.
    """
    changed = [plain for series in frame if (plain := _plain(series)) is not series]
    return frame.with_columns(changed) if changed else frame


def _plain(series: pl.Series) -> pl.Series:
    kind = series.dtype
    if isinstance(kind, pl.Datetime) and kind.time_zone and _OFFSET.fullmatch(kind.time_zone):
        return series.cast(pl.Int64).cast(pl.Datetime(kind.time_unit, "UTC"))
    if kind == pl.Binary:
        try:
            return series.cast(pl.String)
        except pl.exceptions.ComputeError:
            return series
    return series


def as_source(path: Path) -> Path | bytes:
    """A Parquet file for polars: its path, or its bytes where the path is none in UTF-8, which polars cannot open."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.read_bytes()
    return path


def first_line(error: BaseException) -> str:
    """The first line of what another library says, or what kind of error it is."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    try:
        yield
    except pl.exceptions.DuplicateError as error:
        raise DataError(
            f"The table has two columns of one name: {first_line(error)}.",
            where=path,
            expected="names that differ",
            hint="Rename or remove one of them.",
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        with path.open("rb") as stream:
            damaged = stream.read(4) == b"PAR1"
        what = "The parquet file is damaged" if damaged else "This is not a parquet file"
        raise DataError(f"{what}: {first_line(error)}", where=path, expected="a parquet file") from None


@contextmanager
def _any_zone() -> Iterator[None]:
    """Let polars open a file with a zone that its list of zones does not have: it would panic."""
    with _LOCK:
        before = os.environ.get(_ANY_ZONE)
        os.environ[_ANY_ZONE] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_ANY_ZONE]
            else:
                os.environ[_ANY_ZONE] = before
