"""Which items of a table an index does not have yet; a table that was added before is added again without harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from genrec.data.alike import note_alike
from genrec.data.catalog import Catalog
from genrec.data.money import numbers_of
from genrec.errors import DataError
from genrec.wording import agree, count


def new_items_of(table: Catalog, index: Catalog) -> tuple[Catalog, int]:
    """Items of a table that an index lacks, and the number of those that it has with the same fields.

    Args:
        table: To be added.
        index: The catalogue of the index.

    Raises:
        DataError: An item is in the index with other fields: its semantic ID was made from those, and stays.
    """
    positions = index.positions(table.frame["item_id"])
    known = np.flatnonzero(positions >= 0)
    if not len(known):
        return table, 0
    before, after = index.frame[positions[known]], table.frame[known]
    other = np.zeros(len(known), dtype=bool)
    for name in {*before.columns, *after.columns}:
        other |= _differ(before, after, name)
    if other.any():
        first = after["item_id"][int(np.flatnonzero(other)[0])]
        raise DataError(
            f"{count(int(other.sum()), 'item')} {agree(int(other.sum()), 'is', 'are')} already in the catalogue with "
            f"other fields, such as {first!r}.",
            where="new items",
            expected="items that the index does not have, or with the same fields",
            hint="Leave these rows out: published semantic IDs never change. Or build the index again.",
        )
    return table.select(np.flatnonzero(positions < 0)), len(known)


def note_new_alike(table: Catalog, index: Catalog) -> None:
    """Note new items whose ids look like those of others, here or in the index, in the report of their table."""
    table.report.add("alike-ids", 0)  # what the table alone shows is found again
    new = table.frame["item_id"].filter(pl.Series(index.positions(table.frame["item_id"]) < 0))
    note_alike(new, "item_id", table.report, index.frame["item_id"])


def _differ(before: pl.DataFrame, after: pl.DataFrame, name: str) -> np.ndarray:
    """Rows in which a field differs, ``(n,)`` bool; a field that one of the tables lacks is empty there."""
    nothing = pl.Series(name, [None] * len(before), dtype=pl.String)
    both = [frame[name] if name in frame.columns else nothing for frame in (before, after)]
    numbers = [values.dtype.is_numeric() for values in both]
    if any(numbers) and not all(numbers):  # amounts may be text in the one table, and numbers in the other
        read = [numbers_of(values) for values in both]
        both = [values if one is None else one for values, one in zip(both, read, strict=True)]
    kind: Any = pl.Float64 if all(values.dtype.is_numeric() for values in both) else pl.String
    first, second = (_plain(values).cast(kind) for values in both)
    return first.ne_missing(second).to_numpy()


def _plain(values: pl.Series) -> pl.Series:
    """Lists as text, empty ones as nothing; a column may take another type in each table."""
    if not values.dtype.is_nested():
        return values
    joined = values.cast(pl.List(pl.String)).list.join("\x1f")
    return pl.select(pl.when(values.list.len() > 0).then(joined)).to_series()
