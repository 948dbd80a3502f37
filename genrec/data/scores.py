"""Item scores from a table: what is promoted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.data.columns import require_column
from genrec.data.tables import read_table
from genrec.errors import DataError
from genrec.schema import Columns


def read_scores(path: Path | str, catalog: Catalog) -> np.ndarray:
    """A prior from a table with ``item_id`` and ``score``: ``(n_items,)`` float32, 0 for items that it does not name.

    Raises:
        DataError: A column is missing, an item is unknown or named twice, or a score is not a finite number.
    """
    frame = read_table(path)
    for name in (Columns.Item, Columns.Score):
        require_column(frame, name, name, path)
    positions = catalog.positions(frame[Columns.Item])
    values = frame[Columns.Score].cast(pl.Float32, strict=False).fill_null(np.nan).to_numpy()
    for wrong, what in (
        (positions < 0, "is not in the catalogue"),
        (~np.isfinite(values), "has no number as its score"),
        (~_first(positions), "is named twice"),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"Item {frame[Columns.Item][row]!r} {what}.",
                where=f"{path}, row {row + 1} below the heading",
                expected="one row an item, with a finite score",
            )
    scores = np.zeros(len(catalog), dtype=np.float32)
    scores[positions] = values
    return scores


def _first(values: np.ndarray) -> np.ndarray:
    """Which entries are the first of their value."""
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
