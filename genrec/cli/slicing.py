"""Slices of an evaluation by columns of items or users, for ``genrec evaluate --slice``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.cli.reading import tell
from genrec.wording import count

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from genrec.cli.columns import Tables
    from genrec.evaluation.slices import Slicer
    from genrec.recommender import Recommender

_MOST_VALUES = 30


def column_slices(
    recommenders: Sequence[Recommender],
    columns: Sequence[str],
    items: Path | None,
    users: Path | None,
    tables: Tables,
) -> list[Slicer]:
    """A slicer a column: a field of the target item, or else a column of the users.

    Args:
        recommenders: The first index among them knows the items' fields.
        columns: Their names.
        items: Table of the items, in place of the index.
        users: Table with ``user_id`` and other columns, one row a user.
        tables: How to read them.

    Raises:
        ConfigError: Nothing is known of items and users, no such column, or one with very many values.
        DataError: A table cannot be read or lacks its ids.
    """
    from genrec.errors import ConfigError, unknown_name
    from genrec.evaluation.slices import by_item_column, by_user_column

    if not columns:
        return []
    fields = _item_fields(recommenders, items, tables)
    of_users = {} if users is None else _user_columns(users, tables)
    if not fields and not of_users:
        raise ConfigError(
            "--slice needs a recommender with an index: baselines do not know the fields of the items.",
            hint="Give --item-table or --user-table.",
        )
    slicers = []
    for column in columns:
        if column in fields:
            slicers.append(by_item_column(column, _few(column, fields[column])))
        elif column in of_users:
            ids, values = of_users[column]
            slicers.append(by_user_column(column, dict(zip(ids, _few(column, values), strict=True))))
        else:
            raise unknown_name("item field or user column", column, [*fields, *of_users], where="--slice")
    return slicers


def _item_fields(recommenders: Sequence[Recommender], items: Path | None, tables: Tables) -> dict[str, np.ndarray]:
    """Values of every field, ``(n_items,)`` in the order of the recommenders' catalogue."""
    import numpy as np

    index: Any = next((one.index for one in recommenders if hasattr(one, "index")), None)
    if items is None and index is None:
        return {}
    catalog = index.catalog if items is None else tables.catalog(items)
    if items is not None:
        tell([catalog.report])
    places = catalog.positions(recommenders[0].item_ids)  # -1: the table does not know the item
    fields: dict[str, Any] = {}
    for field in catalog.fields:
        values = _first_values(catalog.frame[field])
        fields[field] = np.where(places >= 0, values[places], None)
    return fields


def _user_columns(path: Path, tables: Tables) -> dict[str, tuple[list[str], np.ndarray]]:
    """User ids and values of every other column."""
    import polars as pl

    from genrec.data.columns import clean_ids, require_column
    from genrec.data.report import DataReport
    from genrec.data.tables import read_rows

    report, key = DataReport("users", allow_lost=tables.how.get("allow_lost")), tables.user_column(path)
    frame, lines = read_rows(path, report, quotes=tables.how.get("quotes") or "doubled")
    require_column(frame, key, "user_column", path)
    codes, users = clean_ids(frame[key], report, lines, path)
    report.add("missing-ids", int((codes < 0).sum()))
    report.require_few_lost(path)
    tell([report])
    known = frame.filter(pl.Series(codes >= 0))
    ids = users.gather(codes[codes >= 0]).to_list()
    return {name: (ids, _first_values(known[name])) for name in frame.columns if name != key}


def _few(name: str, values: np.ndarray) -> np.ndarray:
    from genrec.errors import ConfigError

    distinct = len({value for value in values.tolist() if value is not None})
    if distinct > _MOST_VALUES:
        raise ConfigError(
            f"The column '{name}' has {count(distinct, 'value')}.", where="--slice", expected=f"at most {_MOST_VALUES}"
        )
    return values


def _first_values(column: pl.Series) -> np.ndarray:
    """One value a row: of a list its first entry."""
    import numpy as np
    import polars as pl

    flat = column.list.first() if isinstance(column.dtype, pl.List) else column
    values = np.empty(len(flat), dtype=object)
    values[:] = flat.to_list()
    return values
