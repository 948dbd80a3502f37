"""What the columns of somebody's tables are called, and which of several names a table has."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from genrec.config import Settings
from genrec.data.likely_columns import is_of_rows
from genrec.schema import Columns

ROW_ORDER = "none"
"""In place of a time column: the order of the rows is the order of the interactions."""


class ColumnNames(Settings):
    """Names of columns; None where nobody said anything.

    Indexes and recommenders remember them, so that tables of the same shop need them only once.

    >>> given, remembered = ColumnNames(user="customer"), ColumnNames(user="client", item="sku")
    >>> given.over(remembered).said()
    'user customer, item sku'
    """

    user: str | None = Field(None, min_length=1, description="user ids of the interactions")
    item: str | None = Field(None, min_length=1, description="item ids of the interactions")
    time: str | None = Field(None, min_length=1, description="times of the interactions; none: the order of the rows")
    id: str | None = Field(None, min_length=1, description="item ids of the items table")
    title: str | None = Field(None, min_length=1, description="what a person reads of an item")

    def over(self, other: ColumnNames) -> ColumnNames:
        """These names, and those of ``other`` where nothing is said here."""
        return ColumnNames(**(other.model_dump(exclude_none=True) | self.model_dump(exclude_none=True)))

    def said(self) -> str:
        """For people: ``user customer, item sku``; empty where nothing is said."""
        return ", ".join(f"{role} {name}" for role, name in self.model_dump(exclude_none=True).items())

    def arguments(self) -> dict[str, str | None]:
        """As arguments of the readers.

        Names of :meth:`of_items` are for :meth:`genrec.data.catalog.Catalog.read`, those of :meth:`of_interactions` for
        :meth:`genrec.data.interactions.Interactions.read`.

        >>> ColumnNames(user="customer", time="none").arguments()
        {'user_column': 'customer', 'time_column': None}
        """
        said = self.model_dump(exclude_none=True)
        return {f"{role}_column": None if (role, name) == ("time", ROW_ORDER) else name for role, name in said.items()}

    def of_interactions(self, remembered: ColumnNames, columns: Collection[str]) -> ColumnNames:
        """The names to read interactions with: said here, else remembered and there, else the usual ones.

        Item ids may also go by the name that they have in the items table, unless that is the id of a row here.

        Args:
            remembered: Names of an earlier table.
            columns: Those that this table has; empty where that is not known.
        """
        known = (remembered.item, Columns.Item, self.id, remembered.id)
        items = [name for name in known if name is None or not is_of_rows(name, columns)]
        return ColumnNames(
            user=self.user or _first(columns, remembered.user, Columns.User),
            item=self.item or _first(columns, *items),
            time=self.time or _first([*columns, ROW_ORDER], remembered.time, Columns.Timestamp),
        )

    def of_items(self, remembered: ColumnNames, columns: Collection[str]) -> ColumnNames:
        """The names to read a table of items (or a list of item ids) with; like :meth:`of_interactions`."""
        ids = (remembered.id, Columns.Item, self.item, remembered.item)
        title = remembered.title if remembered.title in columns else None
        return ColumnNames(id=self.id or _first(columns, *ids), title=self.title or title)


def _first(columns: Collection[str], *names: str | None) -> str:
    """The first of some names that the table has, else the first."""
    known = [name for name in names if name is not None]
    return next((name for name in known if name in columns), known[0])
