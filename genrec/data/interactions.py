"""Interactions: who had which item when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.data.coded_rows import CodedRows, code_rows
from genrec.data.columns import as_texts, positions_of
from genrec.data.delimited import Quotes
from genrec.data.guesses import other_spelling
from genrec.data.histories import Histories
from genrec.data.report import ALLOW_UNKNOWN, N_EXAMPLES, UNKNOWN, DataReport, Lines
from genrec.data.signs import without_nul
from genrec.data.sorting import counters, repeated_rows, same_as_previous, sort_rows
from genrec.data.tables import read_rows
from genrec.data.unread import require_frame
from genrec.errors import ConfigError, DataError
from genrec.schema import Columns
from genrec.wording import agree, count


@dataclass(frozen=True)
class Interactions:
    """Interactions of all users, grouped by user, oldest first.

    Users stand in the order of their first appearance in the file; the rows of a user are sorted by time, equal times
    by their place in the file. Use :meth:`read` or :meth:`from_frame`, which apply the rules of
    :data:`genrec.data.report.RULES` and count them in :attr:`report`.

    Attributes:
        user_ids: ``(n_users,)`` String.
        item_ids: ``(n_items,)`` String, the distinct items in order of first appearance.
        offsets: ``(n_users + 1,)`` int64; user ``u`` owns rows ``offsets[u]:offsets[u + 1]``.
        items: ``(n_rows,)`` int32 positions in ``item_ids``.
        timestamps: ``(n_rows,)`` int64; 1, 2, 3, ... inside each user where there is no time column.
        ordinal: The timestamps are only an order: there is no time column, or it holds 1..n inside each user.
        parts: ``(n_rows,)`` int8 positions in :data:`genrec.data.interaction_columns.PARTS` where the table names the
            part of each row, else None.
        report: What was repaired or left out.
    """

    user_ids: pl.Series
    item_ids: pl.Series
    offsets: np.ndarray
    items: np.ndarray
    timestamps: np.ndarray
    ordinal: bool
    parts: np.ndarray | None = None
    report: DataReport = field(default_factory=lambda: DataReport("interactions"))

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        user_column: str = Columns.User,
        item_column: str = Columns.Item,
        time_column: str | None = Columns.Timestamp,
        part_column: str | None = None,
        allow_lost: float | None = None,
        quotes: Quotes = "doubled",
    ) -> Interactions:
        """Read interactions from a csv, tsv, jsonl (also packed) or parquet file.

        Args:
            path: The file; other columns are ignored.
            user_column: Name of the column with the user ids.
            item_column: Name of the column with the item ids.
            time_column: Name of the column with the times: integers of any unit (kept as given), decimals or ISO
                dates. None: the order of the rows counts; so it does where the default name is not there, and no
                other column looks like a time.
            part_column: Name of a column that says ``train``, ``validation`` or ``test``, for
                :func:`genrec.data.split.custom_split`.
            allow_lost: Largest share of lost rows, here and in :meth:`histories`; None:
                :data:`genrec.data.report.ALLOW_LOST` of rows that cannot be read and
                :data:`genrec.data.report.ALLOW_UNKNOWN` of rows with unknown items.
            quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.

        Raises:
            DataError: The file cannot be read, a column is missing, no row is usable, or too many are lost.
        """
        report = DataReport("interactions", allow_lost=allow_lost)
        frame, lines = read_rows(path, report, quotes=quotes)
        names = (user_column, item_column, time_column, part_column)
        rows = code_rows(frame, names, str(path), report, lines)
        del frame  # text takes several times the memory of numbers
        return _sorted(rows, report, lines)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        *,
        user_column: str = Columns.User,
        item_column: str = Columns.Item,
        time_column: str | None = Columns.Timestamp,
        part_column: str | None = None,
        allow_lost: float | None = None,
        where: str = "interactions",
        decimals: bool = True,
    ) -> Interactions:
        """Make interactions of a table in memory, by the same rules as :meth:`read`.

        ``decimals=False`` keeps a ``.0`` that all ids of a column have, for a part of a table that was read already.

        >>> rows = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "timestamp": [20, 10]})
        >>> Interactions.from_frame(rows).frame["item_id"].to_list()
        ['y', 'x']
        """
        require_frame(frame, where)
        names = (user_column, item_column, time_column, part_column)
        report = DataReport("interactions", allow_lost=allow_lost)
        report.read(frame.height)
        rows = code_rows(without_nul(frame, report, Lines()), names, where, report, Lines(), decimals=decimals)
        return _sorted(rows, report, Lines())

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        users, items = count(len(self.user_ids), "user"), count(len(self.item_ids), "item")
        return f"Interactions({count(len(self), 'row')}, {users}, {items})"

    @property
    def lengths(self) -> np.ndarray:
        """Number of rows of every user, ``(n_users,)`` int64."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """User of every row, ``(n_rows,)`` int32 positions in :attr:`user_ids`."""
        return np.repeat(np.arange(len(self.user_ids), dtype=np.int32), self.lengths)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as a table ``user_id, item_id`` (String), ``timestamp`` (Int64)."""
        users = self.owners.astype(np.uint32)
        return pl.DataFrame(
            [
                self.user_ids.gather(users).alias(Columns.User),
                self.item_ids.gather(self.items.astype(np.uint32)).alias(Columns.Item),
                pl.Series(Columns.Timestamp, self.timestamps, dtype=pl.Int64),
            ]
        )

    def histories(
        self,
        catalog: Catalog | Sequence[str] | np.ndarray,
        *,
        unknown: Literal["drop", "error"] = "drop",
        consecutive_repeats: Literal["drop", "keep"] = "drop",
    ) -> Histories:
        """Every user's items as positions in a catalogue.

        Args:
            catalog: The catalogue, or the list of its item ids.
            unknown: ``drop`` leaves rows of unknown items out and counts them in the report, ``error`` refuses them.
            consecutive_repeats: ``drop`` counts the same item several times in a row once, ``keep`` keeps all.

        Returns:
            Histories of the users of whom an item is left, in the same order; ``timestamps`` is None when
            :attr:`ordinal`.

        Raises:
            DataError: No item is known, ``unknown`` is ``error`` and an item is unknown, or more rows are of unknown
                items than the ``allow_lost`` of :meth:`read` allows.
            ConfigError: Another word for ``unknown`` or ``consecutive_repeats``.
        """
        return self.labelled_histories(catalog, unknown=unknown, consecutive_repeats=consecutive_repeats)[0]

    def labelled_histories(
        self,
        catalog: Catalog | Sequence[str] | np.ndarray,
        *,
        unknown: Literal["drop", "error"] = "drop",
        consecutive_repeats: Literal["drop", "keep"] = "drop",
    ) -> tuple[Histories, np.ndarray | None]:
        """Like :meth:`histories`, with the :attr:`parts` of the rows that are left, ``(n_rows,)`` int8 or None."""
        for option, value, words in (
            ("unknown", unknown, ("drop", "error")),
            ("consecutive_repeats", consecutive_repeats, ("drop", "keep")),
        ):
            if value not in words:
                raise ConfigError(f"{option} is {value!r}.", where="histories", expected=" or ".join(words))
        known = _known_ids(catalog)
        positions = positions_of(self.item_ids, known).astype(np.int32)
        items = positions[self.items]
        keep = items >= 0
        self._note_unknown(keep, positions, known, unknown)
        users = self.owners
        repeats = _repeats(items, users, keep)
        self.report.add("consecutive-repeats", int(repeats.sum()))
        if consecutive_repeats == "drop":
            keep &= ~repeats
        kept_users = users[keep]
        counts = np.bincount(kept_users, minlength=len(self.user_ids))
        nobody = np.flatnonzero(counts == 0)
        names = self.user_ids.gather(nobody[:N_EXAMPLES].astype(np.uint32)).to_list()
        self.report.add("users-without-items", len(nobody), [f"user {name!r}" for name in names])
        left = np.flatnonzero(counts)
        offsets = np.r_[0, np.cumsum(counts[left])].astype(np.int64)
        times = None if self.ordinal else self.timestamps[keep]
        ids = np.array(self.user_ids.gather(left).to_list(), dtype=object)
        parts = None if self.parts is None else self.parts[keep]
        return Histories(ids, offsets, items[keep].astype(np.int32), times), parts

    def _note_unknown(self, keep: np.ndarray, positions: np.ndarray, known: pl.Series, unknown: str) -> None:
        n_rows = int(len(keep) - keep.sum())
        strange = self.item_ids.gather(np.flatnonzero(positions < 0))
        names = strange.head(N_EXAMPLES).to_list()
        spelling = other_spelling(strange, known, "this table") if n_rows else None
        if n_rows and (unknown == "error" or n_rows == len(keep)):
            raise all_unknown(n_rows, len(keep), "items " + ", ".join(repr(name) for name in names), spelling)
        self.report.add("unknown-items", n_rows, [f"item {name!r}" for name in names], spelling)
        self.report.require_few_lost("interactions", UNKNOWN, ALLOW_UNKNOWN)


def all_unknown(unknown: int, rows: int, where: object, spelling: str | None = None) -> DataError:
    """What is said where unknown items leave nothing of a table.

    Args:
        unknown: Rows with items that the catalogue does not have.
        rows: Rows in all.
        where: The items, or the file.
        spelling: How the ids of both tables differ, where that is known.
    """
    return DataError(
        f"{unknown:,} of {count(rows, 'interaction')} {agree(unknown, 'is', 'are')} with items that the catalogue "
        "does not have.",
        where=where,
        expected="item ids of the catalogue",
        hint=spelling or "Check that both tables use the same ids, or add the items to the catalogue.",
    )


def _known_ids(catalog: Catalog | Sequence[str] | np.ndarray) -> pl.Series:
    if isinstance(catalog, Catalog):
        return catalog.frame[Columns.Item]
    known = as_texts(catalog)
    if known.n_unique() != len(known):
        raise DataError("The list of item ids holds an id twice.", expected="distinct ids")
    return known


def _repeats(items: np.ndarray, users: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Rows whose previous kept row of the same user has the same item, ``(n_rows,)`` bool."""
    if keep.all():
        return same_as_previous(items, users)
    result = np.zeros(len(items), dtype=bool)
    result[keep] = same_as_previous(items[keep], users[keep])
    return result


def _sorted(rows: CodedRows, report: DataReport, lines: Lines) -> Interactions:
    """Interactions of rows in any order; those that are there twice are left out."""
    order = sort_rows(rows.users, rows.order)
    users, items = rows.users[order], rows.items[order]
    if rows.times is None or rows.order is None:
        report.add("row-order", len(order))
        stamps, ordinal = counters(users), True
    else:
        stamps = rows.times[order]
        ordinal = int(stamps.max()) <= len(stamps) and np.array_equal(stamps, counters(users))
        again = repeated_rows(users, items, stamps if rows.order is rows.times else rows.order[order])
        twice = np.sort(rows.in_table(order[again]))
        report.add("duplicate-rows", len(twice), lines.examples(twice))
        if len(twice):
            order, users, items, stamps = (values[~again] for values in (order, users, items, stamps))
    selected = None if rows.parts is None else rows.parts[order]
    return assemble(rows.user_ids, rows.item_ids, users, items, stamps, ordinal, selected, report)


def assemble(
    user_ids: pl.Series,
    item_ids: pl.Series,
    users: np.ndarray,
    items: np.ndarray,
    timestamps: np.ndarray,
    ordinal: bool,
    parts: np.ndarray | None,
    report: DataReport,
) -> Interactions:
    """Interactions of sorted rows; users and items without a row are left out.

    Args:
        user_ids: Distinct user ids.
        item_ids: Distinct item ids.
        users: ``(n_rows,)`` positions in ``user_ids``, not decreasing.
        items: ``(n_rows,)`` positions in ``item_ids``.
        timestamps: ``(n_rows,)`` int64.
        ordinal: See :attr:`Interactions.ordinal`; the timestamps are then counted anew.
        parts: ``(n_rows,)`` int8 or None.
        report: Goes into the result; its facts are set.
    """
    counts = np.bincount(users, minlength=len(user_ids))
    used_users = np.flatnonzero(counts)
    used_items = np.flatnonzero(np.bincount(items, minlength=len(item_ids)))
    renumbered = np.zeros(len(item_ids), dtype=np.int32)
    renumbered[used_items] = np.arange(len(used_items), dtype=np.int32)
    offsets = np.r_[0, np.cumsum(counts[used_users])].astype(np.int64)
    report.facts |= {"interactions": len(items), "users": len(used_users), "items_used": len(used_items)}
    return Interactions(
        user_ids.gather(used_users),
        item_ids.gather(used_items),
        offsets,
        renumbered[items],
        counters(users) if ordinal else timestamps,
        ordinal,
        parts,
        report,
    )
