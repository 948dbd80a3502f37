"""Columns of any table: found by name, ids as strings, factors."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import numpy as np
import polars as pl

from genrec.data.alike import note_alike
from genrec.data.inside import holds_objects, inside_hint
from genrec.data.likely_columns import USUAL, nearest_column, plain_name
from genrec.data.nested_ids import refuse_lists, refuse_objects
from genrec.data.report import N_EXAMPLES, DataReport, Lines
from genrec.data.rules import MISSING
from genrec.data.signs import mended
from genrec.errors import DataError

_VALUE = re.compile(r"-?\d+(?:\.\d*)?$|\d{4}-\d{2}-\d{2}(?!\w)")
"""A name of a column that is a number or a date: there is no first line with names."""
_ROUNDED = r"^-?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2}$"
_MANY = 1 << 21
"""Rows from which it pays to load a compiler and number their ids by a compiled table."""
_BLOCK = 1 << 20


def require_column(frame: pl.DataFrame, name: str, option: str | None, where: object) -> str:
    """The name, if the table has that column.

    Args:
        frame: The table.
        name: The wanted column.
        option: Python argument that maps another name to it, such as ``item_column``; None: there is none.
        where: The file, for messages.

    Raises:
        DataError: Names the columns that are there, the nearest one, and the option that maps it.
    """
    if name in frame.columns:
        return name
    near = _meant([column for column in frame.columns if not holds_objects(frame[column])], name, option)
    if any(_VALUE.match(column) for column in frame.columns):
        raise DataError(
            f"There is no column '{name}', and the first line looks like a row: {', '.join(frame.columns)}.",
            where=where,
            expected="a first line with the names of the columns",
            hint="Add such a line to the file.",
        )
    inside = None if near else inside_hint(frame, lambda names: _meant(names, name, option), where)
    raise DataError(
        f"There is no column '{name}'.",
        where=where,
        expected=f"'{name}' among the columns, which are: {', '.join(frame.columns)}",
        hint=inside
        or " ".join(part for part in (f"Did you mean '{near}'?" if near else "", _naming(option, near)) if part)
        or None,
    )


def _meant(columns: Sequence[str], name: str, option: str | None) -> str | None:
    """The column that was probably meant."""
    if option == "item_column":  # an ``id`` of a table of interactions is that of the row
        columns = [column for column in columns if plain_name(column) != "id"]
    return nearest_column(columns, name) or nearest_column(columns, USUAL.get(option or "", name))


def _naming(option: str | None, near: str | None) -> str:
    """How to name another column on the command line and in Python."""
    if option is None:
        return ""
    flag, column = "--" + option.replace("_", "-"), near or "COLUMN"
    rows = " Or take the order of the rows: --time-column none (time_column=None in Python)."
    return f"Name the column that holds it: {flag} {shlex.quote(column)} ({option}={column!r} in Python)." + (
        rows if option == "time_column" else ""
    )


HISTORY_NAMES = ("history_item_id", "history_item_ids", "history", "item_history", "history_ids", "input_ids", "inputs")
"""Names under which official cases hold their histories."""


def require_different(names: Sequence[str | None], where: object) -> None:
    """Refuse one column that is to be two things, such as users and items.

    Args:
        names: Columns; None: there is none.
        where: The table, for the message.

    Raises:
        DataError: A name stands there twice.
    """
    given = [name for name in names if name is not None]
    if twice := next((name for name in given if given.count(name) > 1), None):
        raise DataError(
            f"The column '{twice}' is named twice.",
            where=where,
            expected="a column each for users, items, times and parts",
        )


def as_strings(series: pl.Series, where: object) -> pl.Series:
    """Ids of any simple type as String; whole floats and decimals lose their ``.0``, NaN becomes null.

    Raises:
        DataError: The column holds lists, objects or true/false.
    """
    refuse_lists(series, where)
    kind = series.dtype
    if kind == pl.String:
        return series
    if kind.is_float():
        series = series.set(~series.is_finite(), None)
        whole = series.is_null() | ((series == series.round(0)) & (series.abs() < 2**53))
        return (series.cast(pl.Int64) if whole.all() else series).cast(pl.String)
    if kind.is_decimal():  # numbers without a size of their own, as Snowflake and Oracle export whole ones
        texts = series.cast(pl.String)
        whole = texts.str.contains(r"^-?\d+(?:\.0*)?$").fill_null(True)
        return texts.str.replace(r"\.0*$", "") if whole.all() else texts
    if kind.is_integer() or kind in (pl.Categorical, pl.Enum, pl.Null):
        return series.cast(pl.String)
    raise DataError(f"The column '{series.name}' holds {kind}, not ids.", where=where, expected="strings or integers")


def factorize(series: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Number the distinct values of a String column in order of first appearance.

    Returns:
        ``codes (n_rows,)`` int32 with -1 for null, and the distinct values.
    """
    present = series.drop_nulls()
    codes, first = _number(_hashes(present))
    unique = present.gather(first)
    if not _agree(present, codes, unique):  # two values have one hash
        unique = present.unique(maintain_order=True)
        codes = present.cast(pl.Enum(unique)).to_physical().cast(pl.Int32).to_numpy()
    if len(present) == len(series):
        return codes, unique
    result = np.full(len(series), -1, dtype=np.int32)
    result[series.is_not_null().to_numpy()] = codes
    return result, unique


def _agree(values: pl.Series, codes: np.ndarray, unique: pl.Series) -> bool:
    blocks = (slice(start, start + _BLOCK) for start in range(0, len(values), _BLOCK))
    return all((unique.gather(codes[block]) == values[block]).all() for block in blocks)


def _hashes(series: pl.Series) -> pl.Series:
    return series.hash()


def _number(hashes: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Codes of hashes in order of first appearance ``(n_rows,)`` int32, and the first row of each ``(n_codes,)``."""
    if len(hashes) >= _MANY:
        from genrec.data.numbering import number_hashes

        return number_hashes(hashes.to_numpy())
    numbered = hashes.alias("hash").to_frame().with_row_index("row")
    first = numbered.select(pl.col("row").first().over("hash"))["row"].to_numpy()
    is_first = first == np.arange(len(hashes))
    return (np.cumsum(is_first, dtype=np.int32) - np.int32(1))[first], np.flatnonzero(is_first)


def are_decimals(ids: pl.Series) -> pl.Series:
    """Whether ids, String, are whole numbers with the ``.0`` that a float column gave them."""
    return ids.str.contains(r"^-?\d+\.0$")


def clean_ids(
    series: pl.Series, report: DataReport, lines: Lines, where: object, *, decimals: bool = True
) -> tuple[np.ndarray, pl.Series]:
    """Ids as factors: strings without surrounding blanks, and without the ``.0`` that a float column gave all of them.

    Args:
        series: The ids.
        report: Counts what is wrong or repaired.
        lines: Where the rows stand.
        where: The table, for messages.
        decimals: False: a ``.0`` stays, because the column is a part of a longer one, of which that was decided.

    Returns:
        ``codes (n_rows,)`` int32 with -1 for missing ids, and the distinct ids in order of first appearance.

    Raises:
        DataError: The column holds something else than ids; names the row where that is one value among others.
    """
    texts = as_strings(series, where)
    codes, unique = factorize(texts)
    refuse_objects(texts, unique, where, lines)
    clean = unique.str.strip_chars()
    clean = clean.set(clean.is_in(MISSING), None)
    present = clean.drop_nulls()
    if decimals and len(present) and are_decimals(present).all():
        clean = clean.str.head(-2)
    changed = ((clean != unique) & clean.is_not_null()).fill_null(False).to_numpy()
    if not changed.any() and not clean.null_count():
        _note_ids(unique, series.name, report)
        return codes, unique
    again, unique = factorize(clean)
    _note_ids(unique, series.name, report)
    # the extra last entries serve code -1, the rows without an id
    rows = np.flatnonzero(np.r_[changed, False][codes])
    if len(rows):
        examples = [f"{series.name} {series[int(row)]!r}" for row in rows[:3]]
        report.add_to("repaired-ids", len(rows), lines.examples(rows, examples))
    return np.r_[again, np.int32(-1)][codes], unique


def _note_ids(unique: pl.Series, name: str, report: DataReport) -> None:
    """What is told of ids that stay as they are."""
    note_alike(unique, name, report)
    rounded = unique.filter(unique.str.contains(_ROUNDED).fill_null(False))
    report.add_to("rounded-ids", len(rounded), [f"{name} {one!r}" for one in rounded.head(N_EXAMPLES)])


def positions_of(ids: Sequence[str] | np.ndarray | pl.Series, known: pl.Series) -> np.ndarray:
    """Where ids stand in a list of distinct ids, ``(n,)`` int64 with -1 where unknown."""
    wanted = ids if isinstance(ids, pl.Series) else as_texts(ids)
    if not len(wanted) or not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    found = as_strings(wanted, "ids").cast(pl.Enum(known), strict=False).to_physical()
    return found.cast(pl.Int64).fill_null(-1).to_numpy()


def as_texts(ids: Sequence[object] | np.ndarray) -> pl.Series:
    """Ids of a program as String; signs that no table holds are replaced as in tables."""
    values = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    return pl.Series("ids", [mended(str(value)) for value in values], dtype=pl.String)
