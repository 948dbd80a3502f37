"""Items in the order of their ids while a recipe works on them: a shuffled table then gives the same codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.quantizers import ItemContext


def canonical_order(catalog: Catalog) -> np.ndarray:
    """Rows in the order of their ids, so that a shuffled table gives every item the same codes."""
    ids = catalog.item_ids.tolist()
    return np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)


def in_order(vectors: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows in another order; those that are in order already are not copied, so memory-mapped ones stay on disk."""
    return vectors if (order == np.arange(len(order))).all() else np.asarray(vectors)[order]


def context_of(catalog: Catalog, order: np.ndarray, train: Histories | None = None) -> ItemContext:
    """What a quantizer may know of items in another order; training histories point at their new rows."""
    if train is not None:
        row = np.empty(len(order), dtype=np.int32)
        row[order] = np.arange(len(order), dtype=np.int32)
        train = replace(train, items=row[train.items])
    return ItemContext(catalog.item_ids[order], catalog.select(order), train)


def unsorted(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The rows back in the order of the catalogue."""
    result = np.empty_like(rows)
    result[order] = rows
    return result
