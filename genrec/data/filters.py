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
    of_user = np.repeat(np.arange(len(table.user_ids)), table.lengths)
    rows = np.arange(len(table))
    while len(rows):
        per_user = np.bincount(of_user[rows], minlength=len(table.user_ids))
        per_item = np.bincount(table.items[rows], minlength=len(table.item_ids))
        good = (per_user[of_user[rows]] >= users) & (per_item[table.items[rows]] >= items)
        if good.all():
            break
        rows = rows[good]
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
        of_user[rows],
        table.items[rows],
        table.timestamps[rows],
        table.ordinal,
        parts,
        report,
    )


def drop_consecutive_repeats(histories: Histories) -> Histories:
    """Histories in which the same item several times in a row counts once (the first one stays).

    >>> drop_consecutive_repeats(Histories.from_lists([[1, 1, 2, 1]])).items.tolist()
    [1, 2, 1]
    """
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    return histories.take(~same_as_previous(histories.items, users))
