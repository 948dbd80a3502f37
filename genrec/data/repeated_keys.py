"""Keys that stand twice in a line of JSON: found without reading every line, and the last value made the only one."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import polars as pl


def with_keys_once(data: bytes, frame: pl.DataFrame) -> tuple[bytes, dict[int, str]]:
    """The text with every key once a line, and the first repeated key of every line that had one.

    Polars keeps the first value and Python the last; RFC 8259 leaves it open, and most readers take the last.

    Args:
        data: JSON objects, one a line, all readable.
        frame: What polars or Python read of them: what it holds tells how many keys there should be.
    """
    filled = {name: frame.height - frame[name].null_count() for name in frame.columns}
    if not _more_than(data, [b'"'], sum(filled.values())):
        return data, {}
    keys = [forms for name, values in filled.items() if _more_than(data, forms := _written(name), values)]
    if not keys:
        return data, {}
    rows = data.split(b"\n")
    found: dict[int, str] = {}
    for number in _with_any_twice(rows, keys).tolist():
        if (key := _first_repeated(rows[number])) is not None:
            found[number] = key
            rows[number] = json.dumps(json.loads(rows[number]), ensure_ascii=False).encode()
    return (b"\n".join(rows), found) if found else (data, {})


def _written(name: str) -> list[bytes]:
    """How a key may stand in a file."""
    return sorted({json.dumps(name, ensure_ascii=ascii).encode() for ascii in (True, False)})


def _more_than(data: bytes, keys: list[bytes], values: int) -> bool:
    """Whether there are more keys with such ends than values: some are null, or stand twice."""
    return sum(data.count(key + b":") + data.count(key + b" :") for key in keys) > values


def _with_any_twice(rows: list[bytes], keys: list[list[bytes]]) -> np.ndarray:
    """Lines that hold one of these keys more than once, ``(n,)`` int64."""
    lines = pl.Series(rows, dtype=pl.Binary).cast(pl.String)
    patterns = ["|".join(re.escape(form.decode()) for form in forms) for forms in keys]
    return np.flatnonzero(np.any([(lines.str.count_matches(one) > 1).to_numpy() for one in patterns], axis=0))


class RepeatedKeyError(ValueError):
    """An object of JSON has a key twice.

    Attributes:
        key: The first one.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"The key {key!r} stands twice.")
        self.key = key


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON whose keys must be distinct, for ``json.loads(..., object_pairs_hook=once)``.

    Raises:
        RepeatedKeyError: A key stands there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RepeatedKeyError(key)
            seen.add(key)
    return found


def _first_repeated(line: bytes) -> str | None:
    try:
        json.loads(line, object_pairs_hook=once)
    except RepeatedKeyError as error:
        return error.key
    except (ValueError, RecursionError):
        return None
    return None
