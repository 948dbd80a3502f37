"""What is told of the ids of users in a table that is read in pieces: memory does not grow with the users."""

from __future__ import annotations

import numpy as np
import polars as pl

from genrec.data.alike import is_odd, looks, note_alike
from genrec.data.report import DataReport
from genrec.data.rules import MISSING
from genrec.data.unnamed_users import may_be_nobody, note_counted_guests

MOST = 1 << 16
"""Ids that are kept of each kind; of more, those of the smallest hashes, so that ids that look alike stay together."""


class UserNames:
    """Ids of users that look alike or stand for nobody, found in two passes over a table.

    The first pass keeps the few ids that are not plain letters, digits and signs, and those that stand for nobody. The
    second one looks for the plain ids that look like them.
    """

    def __init__(self) -> None:
        self._odd = pl.DataFrame(schema={"id": pl.String, "key": pl.String, "hash": pl.UInt64})
        self._plain = pl.Series("id", [], dtype=pl.String)
        self._guests: dict[str, int] = {}
        self._not_all = False

    def read(self, users: pl.Series) -> None:
        """The first pass.

        Args:
            users: Users of rows, String, without blanks around them.
        """
        counts = users.filter(~users.is_in(MISSING)).drop_nulls().rename("id").value_counts(name="count")
        for name, count in counts.filter(may_be_nobody(counts["id"])).iter_rows():
            if name in self._guests or len(self._guests) < MOST:
                self._guests[name] = self._guests.get(name, 0) + int(count)
        odd = counts.filter(is_odd(counts["id"]))["id"]
        if not len(odd):
            return
        keys = looks(odd)
        found = pl.DataFrame([odd, keys.alias("key"), keys.hash().alias("hash")])
        self._odd = pl.concat([self._odd, found]).unique("id")
        if self._odd.height > MOST:
            self._odd, self._not_all = self._odd.sort("hash", "id").head(MOST), True

    def read_again(self, users: pl.Series) -> None:
        """The second pass, after the whole of the first one."""
        if self._odd.height:
            distinct = users.drop_nulls().rename("id").unique()
            like = distinct.filter(distinct.is_in(self._odd["key"].implode()) & ~is_odd(distinct))
            self._plain = pl.concat([self._plain, like]).unique()

    def note(self, name: str, rows: int, users: int, report: DataReport) -> None:
        """Tell what was found.

        Args:
            name: Of the column.
            rows: Of the table.
            users: How many there are, about.
            report: Gets ``alike-ids`` and ``guests``.
        """
        advice = f"Only {MOST:,} ids with such signs were compared." if self._not_all else None
        note_alike(pl.concat([self._odd["id"], self._plain]).sort(), name, report, advice=advice)
        ids = pl.Series("id", sorted(self._guests), dtype=pl.String)
        counts = np.array([self._guests[one] for one in ids], dtype=np.int64)
        note_counted_guests(ids, counts, rows / max(users, 1), report)
