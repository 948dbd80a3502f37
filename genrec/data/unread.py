"""What somebody gave in the place of something else: a path for a table, a frame for histories, nothing at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polars as pl

from genrec.errors import DataError

_AS_POLARS = {
    ("pandas", "DataFrame"): "polars.from_pandas(frame)",
    ("polars", "LazyFrame"): "frame.collect()",
    ("pyarrow", "Table"): "polars.from_arrow(table)",
}


def refuse_unread(value: object, where: str, read: str, kind: type | tuple[type, ...] | None = None) -> None:
    """Refuse a path, a frame of polars or pandas, and whatever is of another kind.

    Args:
        value: What was given.
        where: Name of the argument.
        read: How one of the right kind is made, such as ``genrec.Catalog.read(path)``.
        kind: What it must be; None: anything else than a path or a frame.

    Raises:
        DataError: Says how it is read.
    """
    path = isinstance(value, str | os.PathLike)
    if path or _library(value) in ("polars", "pandas"):
        what = f"the path {os.fspath(value)!r}" if path else f"a table ({type(value).__name__})"  # type: ignore[call-overload]
        raise DataError(f"This is {what}, which is not read here.", where=where, hint=f"Give {read}.")
    if kind is not None and not isinstance(value, kind):
        names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise DataError(f"This is {described(value)}.", where=where, expected=names, hint=f"Give {read}.")


def require_frame(frame: Any, where: str) -> None:
    """Refuse what is no table of polars.

    Raises:
        DataError: Says how it becomes one.
    """
    if isinstance(frame, pl.DataFrame):
        return
    known = _AS_POLARS.get((_library(frame), type(frame).__name__))
    read = isinstance(frame, str | os.PathLike)
    hint = "Give the path to read(...)." if read else f"Give {known or 'polars.DataFrame(...)'}."
    raise DataError(f"This is {described(frame)}.", where=where, expected="a polars.DataFrame", hint=hint)


def require_path(path: Any, expected: str, where: object = None) -> Path:
    """A path as :class:`~pathlib.Path`.

    Raises:
        DataError: It is something else, such as a frame.
    """
    if isinstance(path, str | os.PathLike):
        return Path(path)
    hint = "A table in memory goes to from_frame(...)." if hasattr(path, "columns") else None
    raise DataError(f"This is {described(path)}.", where=where, expected=expected, hint=hint)


def described(value: object) -> str:
    """What kind of thing a value is.

    >>> described(None), described([1]), described(pl.DataFrame())
    ('None', 'a list', 'a polars.DataFrame')
    """
    if value is None:
        return "None"
    name = type(value).__name__
    library = _library(value)
    name = name if library in ("builtins", "genrec") else f"{library}.{name}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]
