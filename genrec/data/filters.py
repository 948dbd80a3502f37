"""Filters: k-core and consecutive repeats."""

from __future__ import annotations

import numpy as np
import polars as pl

from genrec.data.histories import Histories
from genrec.data.interactions import Interactions, assemble
from genrec.data.sorting import same_as_previous
from genrec.errors import ConfigError, DataError
from genrec.wording import count


def k_core(interactions: Interactions | pl.DataFrame, *, users: int = 5, items: int = 5) -> Interactions:
    """Leave out users and items with few interactions, again and again until none is left (k-core).

    Args:
        interactions: Interactions, or a table with ``user_id``, ``item_id`` and perhaps ``timestamp``.
        users: Fewest rows of a user.
        items: Fewest rows of an item.

    Returns:
        The rows that are left, in the same order; ordinal timestamps are counted anew.

    Raises:
        ConfigError: A bound below 1.
        DataError: Nothing is left.
    """
    if users < 1 or items < 1:
        raise ConfigError(
            f"k-core with {count(users, 'row')} of a user and {items} of an item.", expected="at least 1 each"
        )
    table = interactions if isinstance(interactions, Interactions) else Interactions.from_frame(interactions)
    rows = _core_rows(table, users, items)
    if not len(rows):
        raise DataError(
            f"No interaction is left after the k-core ({count(users, 'row')} of a user, {items} of an item).",
            where=table.report.table,
            hint="Lower the k-core, or use more data.",
        )
    report = table.report.copy()
    report.add("below-k-core", len(table) - len(rows))
    parts = None if table.parts is None else table.parts[rows]
    return assemble(
        table.user_ids,
        table.item_ids,
        table.owners[rows],
        table.items[rows],
        table.timestamps[rows],
        table.ordinal,
        parts,
        report,
    )


def _core_rows(table: Interactions, users: int, items: int) -> np.ndarray:
    """Rows of the k-core, ``(n_rows,)`` int64 increasing."""
    rows, of_user, of_item = np.arange(len(table)), table.owners, table.items
    while len(rows):
        enough_of_user = np.bincount(of_user, minlength=len(table.user_ids)) >= users
        enough_of_item = np.bincount(of_item, minlength=len(table.item_ids)) >= items
        good = enough_of_user[of_user] & enough_of_item[of_item]
        if good.all():
            break
        rows, of_user, of_item = rows[good], of_user[good], of_item[good]
    return rows


def drop_consecutive_repeats(histories: Histories) -> Histories:
    """Histories in which the same item several times in a row counts once (the first one stays).

    >>> drop_consecutive_repeats(Histories.from_lists([[1, 1, 2, 1]])).items.tolist()
    [1, 2, 1]
    """
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    return histories.take(~same_as_previous(histories.items, users))
