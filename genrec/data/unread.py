"""Paths and frames that were given where what is read from them is meant."""

from __future__ import annotations

import os

from genrec.errors import DataError


def refuse_unread(value: object, where: str, read: str) -> None:
    """Refuse a path, or a frame of polars or pandas.

    Args:
        value: What was given.
        where: Name of the argument.
        read: How one of the right kind is made, such as ``genrec.Catalog.read(path)``.

    Raises:
        DataError: Says how it is read.
    """
    path = isinstance(value, str | os.PathLike)
    if path or type(value).__module__.partition(".")[0] in ("polars", "pandas"):
        what = f"the path {os.fspath(value)!r}" if path else f"a table ({type(value).__name__})"  # type: ignore[call-overload]
        raise DataError(f"This is {what}, which is not read here.", where=where, hint=f"Give {read}.")
