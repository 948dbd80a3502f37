"""Parts of a catalogue by what its fields say: ``category=Lips``, ``price<=20``, ``stock>0``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.errors import ConfigError, unknown_name

_FORM = re.compile(r"\s*(?P<field>[^<>=!]+?)\s*(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL)
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def items_where(catalog: Catalog, conditions: Sequence[str], *, needed: bool = True) -> np.ndarray:
    """Items that meet all conditions.

    ``=`` holds where the field is this text or number; of a list, where one entry is; of a path such as ``Beauty >
    Lips``, also where one step is. ``!=`` is its opposite. ``<``, ``<=``, ``>`` and ``>=`` compare numbers, also those
    in text (``$9.99``), and hold for no item without one.

    Args:
        catalog: The items.
        conditions: ``FIELD=VALUE`` and the like.
        needed: That no item meets them is an error.

    Returns:
        ``(n_items,)`` bool.

    Raises:
        ConfigError: A condition cannot be read, its field does not exist, or no item meets all of them though one is
            ``needed``.

    >>> shop = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"], "kind": ["tea", "cup"], "price": [3, 9]}))
    >>> items_where(shop, ["kind=cup", "price>5"]).tolist()
    [False, True]
    """
    allowed = np.ones(len(catalog), dtype=bool)
    for condition in conditions:
        allowed &= _meets(catalog, condition)
        if needed and not allowed.any():
            together = " together with the conditions before it" if len(conditions) > 1 else ""
            raise ConfigError(f"No item meets '{condition}'{together}.", hint=_values(catalog, condition))
    return allowed


def _meets(catalog: Catalog, condition: str) -> np.ndarray:
    match = _FORM.fullmatch(condition)
    if match is None or not match["value"]:
        raise ConfigError(f"Cannot read the condition '{condition}'.", expected="such as category=Lips or price<=20")
    field, sign, value = match["field"], match["sign"], match["value"]
    if field not in catalog.fields:
        raise unknown_name("item field", field, catalog.fields, where=condition)
    column = catalog.frame[field]
    if sign in _ORDER:
        return np.asarray(_ORDER[sign](_numbers(column, condition), _number(value, condition)))
    equal = _equal(column, value)
    return ~equal if sign == "!=" else equal


def _equal(column: pl.Series, value: str) -> np.ndarray:
    if column.dtype.is_numeric():
        try:
            return (column == float(value)).fill_null(False).to_numpy()
        except ValueError:
            return np.zeros(len(column), dtype=bool)
    entries = column if isinstance(column.dtype, pl.List) else column.to_frame().select(pl.concat_list(pl.all()))
    lists = entries if isinstance(entries, pl.Series) else entries.to_series()
    same = lists.list.contains(value) | lists.list.join(" > ", ignore_nulls=True).str.split(" > ").list.contains(value)
    return same.fill_null(False).to_numpy()


def _numbers(column: pl.Series, condition: str) -> np.ndarray:
    """Values of a field as float64, NaN where there is none, which no comparison meets."""
    if column.dtype == pl.String:
        column = column.str.replace_all(",", "").str.extract(r"^\W*?(-?[0-9]+(?:\.[0-9]+)?)").cast(pl.Float64)
    if not column.dtype.is_numeric():
        raise ConfigError(f"The field '{column.name}' holds lists.", where=condition, expected="numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _number(value: str, condition: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigError(
            f"'{value}' is no number.", where=condition, expected="a number after <, <=, > or >="
        ) from None


def _values(catalog: Catalog, condition: str) -> str | None:
    """The most frequent values of the field of a condition, to choose from."""
    match = _FORM.fullmatch(condition)
    column = catalog.frame[match["field"]] if match is not None else None
    if column is None or column.dtype.is_numeric():
        return None
    flat = column.explode() if isinstance(column.dtype, pl.List) else column
    common = flat.drop_nulls().value_counts(sort=True)[flat.name].head(5).to_list()
    return "Frequent values: " + ", ".join(map(repr, common)) if common else None
