"""Fields of a catalogue that people can filter by: numbers, and texts that take few values."""

from __future__ import annotations

from typing import Any

import polars as pl

from genrec.data.catalog import Catalog
from genrec.data.money import numbers_of

_MOST_FILTERS, _MOST_VALUES, _FEW = 6, 200, 2000
_SIGNS = set("<>=!")  # a condition could not be read


def filters_of(catalog: Catalog | None) -> list[dict[str, Any]]:
    """Filters by the name of their field: ``number`` with ``low`` and ``high``, or ``choice`` with frequent ``values``.

    Args:
        catalog: The items; None: nothing is known of them.

    >>> items = {"item_id": ["a", "b"], "title": ["Assam", "Mug"], "kind": ["tea", "cup"], "price": [3, 9]}
    >>> shop = Catalog.from_frame(pl.DataFrame(items))
    >>> [(one["field"], one["kind"]) for one in filters_of(shop)]
    [('kind', 'choice'), ('price', 'number')]
    """
    if catalog is None:
        return []
    names = [name for name in catalog.fields if name != catalog.title_field and not _SIGNS & set(name)]
    found = [_filter(name, catalog.frame[name]) for name in names]
    return [one for one in found if one is not None][:_MOST_FILTERS]


def _filter(name: str, column: pl.Series) -> dict[str, Any] | None:
    numbers = numbers_of(column)
    if numbers is not None:
        numbers = numbers.filter(numbers.is_finite().fill_null(False))
        if not len(numbers) or numbers.n_unique() < 2:
            return None
        return {"field": name, "kind": "number", "low": numbers.min(), "high": numbers.max()}
    texts = column.explode() if isinstance(column.dtype, pl.List) else column
    if texts.dtype != pl.String:
        return None
    texts = texts.drop_nulls().str.strip_chars()
    counted = texts.filter((texts.str.len_chars() > 0) & (texts.str.len_chars() <= 80)).value_counts(sort=True)
    if not 2 <= counted.height <= _FEW or counted.height > len(column) // 2 + 2:
        return None
    return {"field": name, "kind": "choice", "values": counted[column.name].head(_MOST_VALUES).to_list()}
