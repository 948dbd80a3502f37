"""Parts of a catalogue by what its fields say: ``category=Lips``, ``price<=20``, ``stock>0``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.data.money import read_amounts, same_currency
from genrec.errors import ConfigError, unknown_name

_FORM = re.compile(r"\s*(?P<field>[^<>=!]+?)\s*(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL)
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = _ORDER | {"=": operator.eq, "!=": operator.ne}


def items_where(catalog: Catalog, conditions: Sequence[str], *, needed: bool = True) -> np.ndarray:
    """Items that meet all conditions.

    ``=`` holds where the field is this text or number; of a list, where one entry is; of a path such as ``Beauty >
    Lips``, also where one step is. ``!=`` is its opposite. ``<``, ``<=``, ``>`` and ``>=`` compare numbers, also
    amounts in text (``$9.99``, see :mod:`genrec.data.money`), and hold for no item without one.

    Args:
        catalog: The items.
        conditions: ``FIELD=VALUE`` and the like.
        needed: That no item meets them is an error.

    Returns:
        ``(n_items,)`` bool.

    Raises:
        ConfigError: A condition cannot be read, its field does not exist or holds no numbers to compare, or no item
            meets all of them though one is ``needed``.

    >>> shop = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"], "kind": ["tea", "cup"], "price": [3, 9]}))
    >>> items_where(shop, ["kind=cup", "price>5"]).tolist()
    [False, True]
    """
    allowed = np.ones(len(catalog), dtype=bool)
    for condition in conditions:
        allowed &= _meets(catalog, condition)
        if needed and not allowed.any():
            together = " together with the conditions before it" if len(conditions) > 1 else ""
            raise ConfigError(f"No item meets '{condition}'{together}.", hint=_values(_field(catalog, condition)[0]))
    return allowed


def _meets(catalog: Catalog, condition: str) -> np.ndarray:
    column, sign, value = _field(catalog, condition)
    if sign in _ORDER or column.dtype.is_numeric():
        numbers, currency = _numbers(column, catalog.currencies.get(column.name), condition)
        return np.asarray(_SIGNS[sign](numbers, _number(value, currency, condition)))
    equal = _equal(column, value)
    return ~equal if sign == "!=" else equal


def _field(catalog: Catalog, condition: str) -> tuple[pl.Series, str, str]:
    """The field of a condition, its sign and its value."""
    match = _FORM.fullmatch(condition)
    if match is None or not match["value"]:
        raise ConfigError(f"Cannot read the condition '{condition}'.", expected="such as category=Lips or price<=20")
    if match["field"] not in catalog.fields:
        raise unknown_name("item field", match["field"], catalog.fields, where=condition)
    return catalog.frame[match["field"]], match["sign"], match["value"]


def _equal(column: pl.Series, value: str) -> np.ndarray:
    entries = column if isinstance(column.dtype, pl.List) else column.to_frame().select(pl.concat_list(pl.all()))
    lists = entries if isinstance(entries, pl.Series) else entries.to_series()
    same = lists.list.contains(value) | lists.list.join(" > ", ignore_nulls=True).str.split(" > ").list.contains(value)
    return same.fill_null(False).to_numpy()


def _numbers(column: pl.Series, currency: str | None, condition: str) -> tuple[np.ndarray, str | None]:
    """Values of a field as float64, NaN where there is none, which no comparison meets; and their currency."""
    if column.dtype == pl.String:
        found = read_amounts(column)
        if found.doubt is not None:
            raise ConfigError(
                f"The field '{column.name}' is no column of numbers: {found.doubt}.",
                where=condition,
                expected="numbers, or amounts of one currency",
                hint="Write plain numbers, such as 1299.00, into the table of items, and build the index again.",
            )
        if found.numbers is None or not found.mostly:
            example = next((value for value in column if value), None)
            raise ConfigError(
                f"The field '{column.name}' holds text" + (f", such as {example[:60]!r}." if example else "."),
                where=condition,
                expected="a field of numbers before <, <=, > or >=",
                hint=_values(column),
            )
        column, currency = found.numbers, found.currency
    if not column.dtype.is_numeric():
        raise ConfigError(f"The field '{column.name}' holds lists.", where=condition, expected="numbers")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy(), currency


def _number(value: str, currency: str | None, condition: str) -> float:
    """The number of a condition, also an amount such as ``$20``."""
    found = read_amounts(pl.Series([value]))
    if found.complete and found.numbers is not None:
        if found.currency and currency and not same_currency(found.currency, currency):
            raise ConfigError(
                f"'{value}' is in another currency.", where=condition, expected=f"an amount in {currency}"
            )
        return float(found.numbers[0])
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number) or "_" in value:
        raise ConfigError(f"'{value}' is no number.", where=condition, expected="a number, as the field holds them")
    return number


def _values(column: pl.Series) -> str | None:
    """The most frequent values of a field, to choose from."""
    if column.dtype.is_numeric():
        return None
    flat = column.explode() if isinstance(column.dtype, pl.List) else column
    common = flat.drop_nulls().value_counts(sort=True)[flat.name].head(5).to_list()
    return "Frequent values: " + ", ".join(map(repr, common)) if common else None
