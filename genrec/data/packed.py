"""Text files that are packed, by their suffix."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import polars as pl

from genrec.errors import DataError

_READERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PACKED = (*_READERS, ".zst")
"""Suffixes of packed files that are read."""
_OTHERS = {".z": "uncompress", ".lz4": "lz4", ".br": "brotli", ".7z": "7z", ".zip": "unzip", ".tgz": "tar"}
_CHUNK = 1 << 24


def inner_suffix(path: Path) -> str:
    """The suffix that says what a file holds, in lower case: ``.csv`` of ``items.csv.gz``."""
    return (Path(path.stem).suffix if path.suffix.lower() in PACKED else path.suffix).lower()


def unpacking_hint(path: Path) -> str | None:
    """What to do with a file that is packed in a way that is not read; None for other files."""
    tool = _OTHERS.get(path.suffix.lower())
    return f"Unpack it first ({tool}), or pack it with gzip." if tool else None


def packed_start(path: Path, size: int) -> bytes:
    """The first bytes of a file, unpacked; none where they cannot be read."""
    try:
        return next(byte_chunks(path), b"")[:size]
    except (DataError, OSError):
        return b""


def byte_chunks(path: Path) -> Iterator[bytes]:
    r"""The bytes of a file, unpacked where its suffix says that it is packed.

    Lines of a ``.zst`` file end with one line feed, also where it has ``\r\n``.

    Raises:
        DataError: The file is damaged, or a ``.zst`` file is not UTF-8.
        OSError: It cannot be read.
    """
    suffix = path.suffix.lower()
    if not path.stat().st_size or suffix not in PACKED:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
        return
    try:
        yield from _lines_of_zst(path) if suffix == ".zst" else _read(path, suffix)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise _damaged(suffix, error, path) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(suffix, error, path) from None  # bz2 and polars say it so


def require_packing(path: Path) -> None:
    """Refuse a file to write that could only be read.

    Raises:
        DataError: It ends in ``.zst``.
    """
    if path.suffix.lower() == ".zst":
        raise DataError("Files of .zst are read and not written.", where=path, expected=", ".join(_READERS))


@contextmanager
def packing(raw: IO[bytes], suffix: str) -> Iterator[IO[bytes]]:
    """A stream that packs what is written into ``raw``, as a suffix says; the same content gives the same bytes."""
    if suffix not in _READERS:
        yield raw
        return
    if suffix == ".gz":  # without the name and the time that its header could hold
        stream = cast(IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
    else:
        stream = cast(IO[bytes], _READERS[suffix](raw, "wb"))
    with stream:
        yield stream


def _damaged(suffix: str, error: Exception, path: Path) -> DataError:
    name = {".gz": "gzip"}.get(suffix, suffix)
    return DataError(f"The {name} file is damaged: {error}.", where=path, hint="Fetch it again.")


def _read(path: Path, suffix: str) -> Iterator[bytes]:
    with _READERS[suffix](path) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _lines_of_zst(path: Path) -> Iterator[bytes]:
    """By polars, which knows the format and gives lines only."""
    with path.open("rb") as stream:
        if stream.read(4) not in _ZST_STARTS:
            raise _damaged(".zst", OSError("it does not begin as such a file does"), path)
    try:
        for frame in pl.scan_lines(path, glob=False).collect_batches(maintain_order=True):
            yield "".join(f"{line}\n" for line in frame["line"].to_list()).encode()
    except pl.exceptions.ComputeError:
        hint = "Unpack it first (zstd -d); of the unpacked file the message says which encoding it is in."
        raise DataError("The file is not UTF-8 text.", where=path, expected="UTF-8", hint=hint) from None


_ZST_STARTS = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16)))
"""Of a frame with data, or of one that is skipped."""
