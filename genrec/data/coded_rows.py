"""Rows of an interactions table as numbers, with what is wrong in them counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from genrec.data.columns import clean_ids, require_column, require_different
from genrec.data.event_kinds import note_kinds
from genrec.data.interaction_columns import find_time_column, note_times, read_parts
from genrec.data.report import N_EXAMPLES, DataReport, Lines
from genrec.data.timestamps import parse_times
from genrec.data.unnamed_users import advice_on_missing, note_guests
from genrec.errors import DataError


@dataclass(frozen=True)
class CodedRows:
    """The usable rows of an interactions table, in its order.

    Attributes:
        user_ids: Distinct ids, in order of first appearance; rows of some may all be unusable.
        item_ids: The same of items.
        users: ``(n_rows,)`` int32 positions in ``user_ids``.
        items: ``(n_rows,)`` int32 positions in ``item_ids``.
        times: ``(n_rows,)`` int64, or None where the order of the rows counts.
        order: ``(n_rows,)`` int64, the same array or a finer one.
        parts: ``(n_rows,)`` int8 positions in :data:`genrec.data.interaction_columns.PARTS`, or None.
        places: ``(n_rows,)`` int64 places in the table; None: every row is usable.
    """

    user_ids: pl.Series
    item_ids: pl.Series
    users: np.ndarray
    items: np.ndarray
    times: np.ndarray | None
    order: np.ndarray | None
    parts: np.ndarray | None
    places: np.ndarray | None

    def __len__(self) -> int:
        return len(self.users)

    def in_table(self, rows: np.ndarray) -> np.ndarray:
        """Places of some of these rows in the table, ``(n,)`` int64."""
        return rows if self.places is None else self.places[rows]


def code_rows(
    frame: pl.DataFrame,
    names: tuple[str, str, str | None, str | None],
    where: str,
    report: DataReport,
    lines: Lines,
    *,
    decimals: bool = True,
) -> CodedRows:
    """Number the users and items of a table and read its times.

    Args:
        frame: The table.
        names: Columns of users, items, times (None: the order of the rows) and parts (None: there are none).
        where: The table, for messages.
        report: Counts what is wrong.
        lines: Where the rows stand.
        decimals: See :func:`genrec.data.columns.clean_ids`.

    Raises:
        DataError: A column is missing, no row is usable, or too many are lost.
    """
    user_column, item_column, time_column, part_column = names
    require_different(names, where)
    require_column(frame, user_column, "user_column", where)
    require_column(frame, item_column, "item_column", where)
    time_column = find_time_column(frame, time_column, (user_column, item_column, part_column), where)
    if not frame.height:
        raise DataError("There are no interactions.", where=where, expected="one row for each interaction")
    users, user_ids = clean_ids(frame[user_column], report, lines, where, decimals=decimals)
    items, item_ids = clean_ids(frame[item_column], report, lines, where, decimals=decimals)
    times = None if time_column is None else parse_times(frame[time_column], where)
    parts = None if part_column is None else read_parts(frame, part_column, where)
    note_kinds(frame, (user_column, item_column, time_column, part_column), report, lines)
    keep = (users >= 0) & (items >= 0)
    missing = np.flatnonzero(~keep)
    advice = advice_on_missing(frame, user_column, users < 0)
    report.add("missing-ids", len(missing), lines.examples(missing), advice)
    if times is not None and time_column is not None:
        note_times(times, frame[time_column], keep, report, lines)
        keep &= times.readable
    if not keep.any():
        expected = "at least one usable row"
        raise DataError("No row has a user, an item and a time.", where=where, expected=expected, hint=advice)
    report.require_few_lost(where)
    note_guests(user_ids, users[keep], report)
    values, order = (None, None) if times is None else (times.values, times.order)
    if keep.all():
        report.add("users-without-rows", 0)
        return CodedRows(user_ids, item_ids, users, items, values, order, parts, None)
    gone = np.flatnonzero(np.bincount(users[keep], minlength=len(user_ids)) == 0)
    some = user_ids.gather(gone[:N_EXAMPLES]).to_list()
    report.add("users-without-rows", len(gone), [f"user {name!r}" for name in some])
    values, order, parts = (None if one is None else one[keep] for one in (values, order, parts))
    return CodedRows(user_ids, item_ids, users[keep], items[keep], values, order, parts, np.flatnonzero(keep))
