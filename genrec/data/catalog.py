"""The catalogue: items and their fields."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from genrec.data.columns import clean_ids, positions_of, require_column
from genrec.data.delimited import Quotes
from genrec.data.fields import LEAVE_OUT, Html, read_field, typed_columns, without_money
from genrec.data.guesses import likely_title
from genrec.data.money import amounts_were_text, same_currency
from genrec.data.parquet import first_line
from genrec.data.report import DataReport, Lines
from genrec.data.rules import MISSING, MISSING_WORDS
from genrec.data.signs import without_nul
from genrec.data.tables import read_rows, table_kind
from genrec.data.unread import require_frame
from genrec.errors import DataError
from genrec.schema import Columns
from genrec.wording import agree, count

_NO_TEXT = (*(text.lower() for text in MISSING), "unknown", "n/a")
_TITLE_PARTS = 2


class Catalog:
    """Items in the order of their file, each with a distinct ``item_id`` and any number of fields.

    Use :meth:`read` or :meth:`from_frame`, which apply these rules and count them in :attr:`report`: broken rows are
    left out; items listed again with the same content are merged, with other content the first is kept; ids are
    strings; text that is a list in every row becomes a list; items without text stay.

    Attributes:
        frame: ``item_id`` (String) first, then the fields: String, Int64, Float64 or List(String).
        report: What was repaired or left out.
        html: How HTML in its texts was read.
        currencies: Of the fields that were read as amounts of money.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        report: DataReport | None = None,
        html: Html = "plain",
        currencies: Mapping[str, str] | None = None,
    ) -> None:
        self.frame, self.html, self.currencies = frame, html, dict(currencies or {})
        self.report = report or DataReport("items")

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        id_column: str = Columns.Item,
        title_column: str | None = None,
        allow_lost: float | None = None,
        quotes: Quotes = "doubled",
        html: Html = "plain",
        as_text: Collection[str] = (),
    ) -> Catalog:
        """Read a catalogue from a csv, tsv, jsonl (also packed) or parquet file.

        Args:
            path: The file; every column but the id becomes a field.
            id_column: Name of the column with the ids.
            title_column: Name of the column with the titles, which is called ``title`` from then on; None: ``title``,
                or else the likeliest (see :attr:`title_field`).
            allow_lost: Largest share of rows that cannot be read; None: :data:`genrec.data.report.ALLOW_LOST`.
            quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.
            html: ``plain`` turns HTML entities and tags of the text into plain text, ``keep`` leaves them.
            as_text: Fields of which numbers and amounts of money stay text, as in the index that the items are for.

        Raises:
            DataError: The file cannot be read, a column or an id is missing, or too many rows are lost.
        """
        report = DataReport("items", allow_lost=allow_lost)
        frame, lines = read_rows(path, report, quotes=quotes)
        if table_kind(Path(path)) in ("csv", "tsv"):
            frame = typed_columns(frame, {id_column, title_column or Columns.Title, *as_text}, report)
        return cls._build(frame, id_column, title_column, str(path), report, lines, html, as_text)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        *,
        id_column: str = Columns.Item,
        title_column: str | None = None,
        html: Html = "plain",
        as_text: Collection[str] = (),
        where: str = "items",
    ) -> Catalog:
        """Make a catalogue of a table in memory, by the same rules as :meth:`read`.

        >>> Catalog.from_frame(pl.DataFrame({"item_id": [1, 2], "title": ["Cup", "Tea"]})).titles()
        ['Cup', 'Tea']
        """
        require_frame(frame, where)
        report = DataReport("items")
        report.read(frame.height)
        frame = without_nul(frame, report, Lines())
        return cls._build(frame, id_column, title_column, where, report, Lines(), html, as_text)

    @classmethod
    def _build(
        cls,
        frame: pl.DataFrame,
        id_column: str,
        title_column: str | None,
        where: str,
        report: DataReport,
        lines: Lines,
        html: Html,
        as_text: Collection[str] = (),
    ) -> Catalog:
        _require_names(frame, id_column, title_column, where)
        report.require_few_lost(where)
        codes, unique = clean_ids(frame[id_column], report, lines, where)
        missing = np.flatnonzero(codes < 0)
        if len(missing):
            places = ", ".join(lines.of(int(row)) for row in missing[:3]) + (", ..." if len(missing) > 3 else "")
            words = frame[id_column].gather(missing[:3]).drop_nulls().to_list()
            given = f" ({', '.join(map(repr, words))})" if words else ""
            raise DataError(
                f"{count(len(missing), 'item')} {agree(len(missing), 'has', 'have')} no {id_column}.",
                where=f"{where}: {places}{given}",
                expected=f"an id in every row; blanks and the words {MISSING_WORDS} mean that there is none",
                hint="Fill the ids in, or remove these rows.",
            )
        if not len(codes):
            raise DataError("The catalogue has no items.", where=where, expected="one row for each item")
        fields = [_field(frame[name], where, report, lines, html) for name in frame.columns if name != id_column]
        fields = [field.alias(Columns.Title) if field.name == title_column else field for field in fields]
        currencies: dict[str, str] = {}
        for place, field in enumerate(fields):
            if field.name not in (Columns.Title, *as_text):
                fields[place], currency = without_money(field, report)
                currencies |= {field.name: currency} if currency else {}
        table = pl.DataFrame([unique.gather(codes.astype(np.uint32)).alias(Columns.Item), *fields])
        if len(unique) < len(codes):
            table = _without_duplicates(table, codes, report, lines)
        empty = np.flatnonzero(~_has_text(table))
        ids = table[Columns.Item]
        report.add("items-without-text", len(empty), [f"item {ids[int(row)]!r}" for row in empty[:3]])
        report.facts["items"] = table.height
        made = cls(table, report, html, currencies)
        if made.title_field not in (None, Columns.Title):
            report.add("title-column", 1, [f"'{made.title_field}'"])
        return made

    @cached_property
    def item_ids(self) -> np.ndarray:
        """``(n_items,)`` object array of str, in the order of the file."""
        return np.array(self.frame[Columns.Item].to_list(), dtype=object)

    @property
    def fields(self) -> list[str]:
        """Names of every column but the id."""
        return self.frame.columns[1:]

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        return f"Catalog({count(len(self), 'item')}, fields: {', '.join(self.fields) or 'none'})"

    def positions(self, ids: Sequence[str] | np.ndarray | pl.Series) -> np.ndarray:
        """Positions of item ids, ``(n,)`` int64, -1 where the catalogue has no such item.

        >>> Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"]})).positions(["b", "x"]).tolist()
        [1, -1]
        """
        return positions_of(ids, self.frame[Columns.Item])

    @cached_property
    def title_field(self) -> str | None:
        """The field that people read: ``title``, else the likeliest by its name or its values; None where none is."""
        return Columns.Title if Columns.Title in self.fields else likely_title(self.frame.select(self.fields))

    def titles(self) -> list[str]:
        """For every item what a person reads: its title, else its first two filled text fields, else its id."""
        texts = {name: _shown(self.frame[name]) for name in self.fields if _is_text(self.frame[name])}
        columns = pl.DataFrame(list(texts.values()))
        others = [name for name in texts if name != self.title_field]
        parts = pl.concat_list(others).list.drop_nulls().list.head(_TITLE_PARTS) if others else None
        described = [pl.when(parts.list.len() > 0).then(parts.list.join(" · "))] if parts is not None else []
        title = [pl.col(self.title_field)] if self.title_field in texts else []
        ids = self.frame[Columns.Item].alias("\x00id")
        table = pl.DataFrame([ids, *columns.get_columns()])
        return table.select(pl.coalesce(*title, *described, pl.col("\x00id"))).to_series().to_list()

    def concat(self, other: Catalog) -> Catalog:
        """This catalogue followed by new items; fields that one of them lacks are null.

        Raises:
            DataError: An item of ``other`` is already here, or its amounts are in another currency.
        """
        known = np.flatnonzero(self.positions(other.frame[Columns.Item]) >= 0)
        if len(known):
            raise DataError(
                f"{len(known):,} of {count(len(other), 'new item')} {agree(len(known), 'is', 'are')} already in the "
                "catalogue.",
                where=", ".join(repr(other.item_ids[row]) for row in known[:3]),
                expected="new item ids only",
                hint="Remove these rows from the table of new items.",
            )
        _require_currencies(self, other)
        mine, theirs = _same_types(self.frame, other.frame)
        currencies = other.currencies | self.currencies
        return Catalog(pl.concat([mine, theirs], how="diagonal"), html=self.html, currencies=currencies)

    def select(self, rows: np.ndarray | Sequence[int]) -> Catalog:
        """Some items, ``(n,)`` positions or an ``(n_items,)`` bool mask, in the order given."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return Catalog(self.frame[index], html=self.html, currencies=self.currencies)

    def fingerprint(self) -> str:
        """Hex SHA-256 of ids, names of fields and values; the same for the same content in any file format."""
        content = io.BytesIO()
        self.frame.write_ndjson(content)
        return hashlib.sha256(content.getvalue()).hexdigest()


def _require_names(frame: pl.DataFrame, id_column: str, title_column: str | None, where: str) -> None:
    """The columns that are named exist, and nothing else has the names that they get."""
    require_column(frame, id_column, "id_column", where)
    if title_column is not None:
        require_column(frame, title_column, "title_column", where)
    for given, name, what in ((id_column, Columns.Item, "ids"), (title_column, Columns.Title, "titles")):
        if given not in (None, name) and name in frame.columns:
            raise DataError(
                f"The table has '{given}' and also a column '{name}'.",
                where=where,
                expected=f"one column of {what}",
                hint=f"Rename or remove the column '{name}'.",
            )


def _require_currencies(mine: Catalog, other: Catalog) -> None:
    """Refuse amounts of new items in another currency, and numbers where the amounts of the others are text."""
    for name, theirs in other.currencies.items():
        here = mine.currencies.get(name)
        if here is not None and not same_currency(here, theirs):
            raise DataError(
                f"The field '{name}' of the new items is in {theirs}, and in the catalogue in {here}.",
                where="new items",
                expected=f"amounts in {here}",
                hint="Convert them.",
            )
        if mine.frame.schema.get(name) == pl.String:
            raise amounts_were_text(name, "new items", "in the catalogue")


def _field(series: pl.Series, where: str, report: DataReport, lines: Lines, html: Html) -> pl.Series:
    try:
        return read_field(series, report, lines, html=html)
    except DataError as error:
        raise DataError(error.what, where=where, expected=error.expected, hint=error.hint) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(
            f"The field '{series.name}' cannot be used: {first_line(error)}.", where=where, hint=LEAVE_OUT
        ) from None


def _without_duplicates(table: pl.DataFrame, codes: np.ndarray, report: DataReport, lines: Lines) -> pl.DataFrame:
    """Keep the first row of every id; count what was the same and what was not."""
    _, first = np.unique(codes, return_index=True)
    keep = np.zeros(len(codes), dtype=bool)
    keep[first] = True
    again = np.flatnonzero(~keep)
    # one text for each row of interest, so that any kind of column can be compared
    texts = [pl.Series(table[rows].write_ndjson().split("\n")[:-1]) for rows in (again, first[codes[again]])]
    same = (texts[0] == texts[1]).to_numpy()
    ids = table[Columns.Item]
    for kind, rows in (("duplicate-items", again[same]), ("conflicting-items", again[~same])):
        report.add(kind, len(rows), lines.examples(rows, [f"item {ids[int(row)]!r}" for row in rows[:3]]))
    return table.filter(pl.Series(keep))


def _is_text(series: pl.Series) -> bool:
    return series.dtype == pl.String or isinstance(series.dtype, pl.List)


def _shown(series: pl.Series) -> pl.Series:
    """A field for reading, null where empty: the first entry of a list, the last step of a category path."""
    text = series.list.first() if isinstance(series.dtype, pl.List) else series
    text = text.str.strip_chars().str.replace(r"(?s)^.* > ", "")
    return text.set(text.str.to_lowercase().is_in(_NO_TEXT), None).alias(series.name)


def _has_text(table: pl.DataFrame) -> np.ndarray:
    """Which items have any text, ``(n_items,)`` bool."""
    result = np.zeros(table.height, dtype=bool)
    for series in table.get_columns()[1:]:
        if _is_text(series):
            text = series.list.join(" ") if isinstance(series.dtype, pl.List) else series
            empty = text.str.strip_chars().is_in(MISSING).fill_null(True)
            result |= ~empty.to_numpy()
    return result


def _same_types(mine: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give shared columns one type: that of the first table where it fits without loss, else text."""
    for name in theirs.columns:
        if name not in mine.columns or mine.schema[name] == theirs.schema[name]:
            continue
        wanted, values = mine.schema[name], theirs[name]
        if isinstance(wanted, pl.List) and not isinstance(values.dtype, pl.List):
            texts = values.cast(pl.String)
            cast = texts.to_frame().select(pl.when(texts.is_not_null()).then(pl.concat_list(name)).alias(name))[name]
        elif isinstance(values.dtype, pl.List):
            cast = values.list.join(", ")
        else:
            cast = values.cast(wanted, strict=False)
        if cast.null_count() > values.null_count() or cast.dtype != wanted:
            mine = mine.with_columns(_as_text(mine[name]))
            cast = _as_text(values)
        theirs = theirs.with_columns(cast)
    return mine, theirs


def _as_text(series: pl.Series) -> pl.Series:
    return series.list.join(", ") if isinstance(series.dtype, pl.List) else series.cast(pl.String)
