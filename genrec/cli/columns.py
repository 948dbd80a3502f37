"""What a command is told about tables: names of columns, rows that may be lost, the split.

:func:`reads` gives a command these options, so that they are the same everywhere; :class:`Tables` reads by them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.cli.console import err
from genrec.cli.table_options import HOW, HTML, INTERACTIONS, ITEMS, TABLE_OPTIONS
from genrec.schema import Columns

if TYPE_CHECKING:
    import polars as pl

    from genrec.data.catalog import Catalog
    from genrec.data.interactions import Interactions
    from genrec.data.naming import ColumnNames
    from genrec.data.split import SplitSettings

_USUAL = {"user": Columns.User, "item": Columns.Item, "time": Columns.Timestamp, "id": Columns.Item}


def reads(*kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options of a command that reads tables; the command gets a :class:`Tables` as ``tables``.

    Args:
        kinds: ``items``, ``interactions``, ``domains`` (both, of many catalogues), ``lists`` (of items), ``part`` (a
            split of one's own), ``split`` (any).
    """
    options = {name: option for kind in kinds for name, option in TABLE_OPTIONS[kind].items()}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name != "tables"]
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in options.items()]

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            return command(*args, tables=Tables.of(**{name: kwargs.pop(name, None) for name in options}), **kwargs)

        run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in [*own, *added]}
        return run

    return decorate


@dataclass(frozen=True)
class Tables:
    """Tables as a command was told to read them.

    Attributes:
        given: Names of columns that were said.
        remembered: Names that an index or a recommender remembers.
        how: What else was said of reading: ``allow_lost``, ``quotes``, ``html``.
        split: Name of the split, where one was said.
        bounds: Of a global-time split.
        part_column: Column that holds a split of one's own.
        each: Of many catalogues: by role what was said, ``COLUMN`` for all or ``NAME=COLUMN`` for one.
        used: Names of the columns that were read, by role; filled by reading.
    """

    given: ColumnNames
    remembered: ColumnNames
    how: dict[str, Any] = field(default_factory=dict)
    split: str | None = None
    bounds: dict[str, Any] | None = None
    part_column: str | None = None
    each: dict[str, list[str]] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, **said: Any) -> Tables:
        """From the options of :func:`reads`.

        Raises:
            ConfigError: A name is empty, or bounds of a split that has none.
        """
        from genrec.config import parse
        from genrec.data.naming import ColumnNames

        named = {name.removesuffix("_column"): said[name] for name in {**ITEMS, **INTERACTIONS} if said.get(name)}
        each = {role: names for role, names in named.items() if isinstance(names, list)}
        roles = {role: name for role, name in named.items() if role not in each}
        bounds = {name: _moment(said[name]) for name in ("validation_from", "test_from") if said.get(name)}
        return cls(
            parse(ColumnNames, roles, where="names of columns"),
            ColumnNames(),
            {name: said[name] for name in (*HOW, *HTML) if said.get(name) is not None},
            said.get("split"),
            bounds or None,
            said.get("part_column"),
            each,
        )

    def remembering(self, *known: ColumnNames) -> Tables:
        """These tables, with what indexes and recommenders remember, the first before the others."""
        remembered = self.remembered
        for names in known:
            remembered = remembered.over(names)
        return replace(self, remembered=remembered)

    def reading_html(self, html: str) -> Tables:
        """These tables, with texts of items read as an index remembers it, where nothing else was said."""
        return self if html == "plain" else replace(self, how={"html": html, **self.how})

    @property
    def names(self) -> ColumnNames:
        """What is to be remembered: what was said, and what was remembered already."""
        return self.given.over(self.remembered)

    def of_domain(self, name: str, others: Sequence[str]) -> ColumnNames:
        """Names of the columns of one of many catalogues; what is said of it alone goes before what is said of all.

        Args:
            name: Of the catalogue.
            others: Names of all catalogues: ``=`` behind anything else belongs to a column.
        """
        from genrec.data.naming import ColumnNames

        found: dict[str, str] = {}
        for role, texts in self.each.items():
            parts = [text.partition("=") for text in texts]
            own = [column for domain, _, column in parts if domain == name and column]
            of_all = [text for text, (domain, *_) in zip(texts, parts, strict=True) if domain not in others]
            if own or of_all:
                found[role] = (own or of_all)[-1]
        return ColumnNames(**found)

    def options(self) -> list[str]:
        """What was said, as options for another command that reads the same tables."""
        return [*column_options(self.given.model_dump(exclude_none=True)), *self.how_options(items=True)]

    def check_options(self) -> list[str]:
        """What ``genrec data check`` needs to read the same tables in the same way."""
        used = {role: name for role, name in self.used.items() if _USUAL.get(role) != name}
        return [*column_options(used), *self.how_options(items=True)]

    def how_options(self, *, items: bool = False) -> list[str]:
        """What no artefact remembers, as options for another command.

        Args:
            items: Whether that command reads a table of items.
        """
        said = {name: value for name, value in self.how.items() if items or name not in HTML}
        return [
            word
            for name, value in said.items()
            for word in (f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else value)
        ]

    def split_options(self) -> list[str]:
        """The split that was said, as options for another command."""
        bounds = {name.replace("_", "-"): str(value) for name, value in (self.bounds or {}).items()}
        said = {"split": self.split, **bounds, "part-column": self.part_column}
        return [word for name, value in said.items() if value is not None for word in (f"--{name}", value)]

    def choose_split(self, usual: SplitSettings | None = None) -> SplitSettings:
        """The split that was said, else the usual one, else leave-one-out.

        Args:
            usual: Of the index or the settings; its bounds are those of the same split that is said without any.

        Raises:
            ConfigError: Options that do not go together, or an unknown split.
        """
        from genrec.data.split import CUSTOM, SplitSettings, check_split
        from genrec.errors import ConfigError

        chosen = usual or SplitSettings()
        if self.part_column is not None:
            if self.split not in (None, CUSTOM) or self.bounds:
                raise ConfigError(
                    "A split of your own and another one.", expected="--part-column, or --split and its options"
                )
            return SplitSettings(name=CUSTOM, options={"part_column": self.part_column})
        if self.split not in (None, chosen.name):
            chosen = SplitSettings(name=self.split)
        chosen = SplitSettings(name=chosen.name, options={**chosen.options, **(self.bounds or {})})
        check_split(chosen.name, **chosen.options)
        return chosen

    def catalog(self, path: Path, as_text: Collection[str] = ()) -> Catalog:
        """Read items.

        Args:
            path: The table.
            as_text: Fields whose amounts stay text.

        Raises:
            DataError: They cannot be read.
        """
        from genrec.data.catalog import Catalog

        return Catalog.read(path, **self.of_items(path), **self.how, as_text=as_text)

    def interactions(self, path: Path, *, part_column: str | None = None) -> Interactions:
        """Read interactions.

        Args:
            path: The table.
            part_column: Column of the parts of a split of one's own; None: as said.

        Raises:
            DataError: They cannot be read.
        """
        from genrec.data.interactions import Interactions

        how = {name: value for name, value in self.how.items() if name not in HTML}
        return Interactions.read(path, part_column=part_column or self.part_column, **self.of_interactions(path), **how)

    def of_items(self, path: Path) -> dict[str, Any]:
        """Columns of a table of items, as arguments of :meth:`genrec.data.catalog.Catalog.read`."""
        columns = self._start(path).columns
        names = self.given.of_items(self.remembered, columns)
        self._use(path, names, columns)
        return names.arguments()

    def of_interactions(self, path: Path) -> dict[str, Any]:
        """Columns of a table of interactions, as arguments of :meth:`genrec.data.interactions.Interactions.read`."""
        columns = self._start(path).columns
        names = self.given.of_interactions(self.remembered, columns)
        self._use(path, names, columns)
        return names.arguments()

    def user_column(self, path: Path) -> str:
        """Column of the user ids in a table of users."""
        columns = self._start(path).columns
        return next((name for name in (self.given.user, self.remembered.user) if name in columns), Columns.User)

    def of_list(self, path: Path) -> dict[str, Any]:
        """How to read a list of items, as arguments of :mod:`genrec.data.item_lists`."""
        return {"id_column": self.given.of_items(self.remembered, self._start(path).columns).id, **self._quotes()}

    def of_candidates(self, path: Path) -> dict[str, Any]:
        """How to read lists of items by user."""
        names = self.given.of_interactions(self.remembered, self._start(path).columns)
        lost = {"allow_lost": self.how["allow_lost"]} if "allow_lost" in self.how else {}
        return {"user_column": names.user, "item_column": names.item, **self._quotes(), **lost}

    def _quotes(self) -> dict[str, Any]:
        return {"quotes": self.how["quotes"]} if "quotes" in self.how else {}

    def guess(self, items: Path | None, interactions: Path | None) -> list[str]:
        """Options that name the columns that were probably meant, beside those that were said.

        Empty where one of the columns that are missing stays unknown: a command without it would fail again.
        """
        from genrec.data.guesses import likely_time
        from genrec.data.inside import holds_objects
        from genrec.data.likely_columns import is_of_rows, nearest_column
        from genrec.data.naming import ROW_ORDER

        found: dict[str, str | None] = {}
        for path, roles in ((items, ("id",)), (interactions, ("user", "item", "time"))):
            if path is None:
                continue
            start = self._start(path)
            for role in roles:
                same = found.get("id")
                if role == "item" and same in start.columns and not is_of_rows(same, start.columns):
                    continue  # --id-column names both
                if self.used.get(role) not in (*start.columns, ROW_ORDER):
                    rest = [name for name in start.columns if role == "item" or name not in found.values()]
                    rest = [name for name in rest if not holds_objects(start[name])]
                    rest = [name for name in rest if role != "item" or name.lower() != "id"]  # that of the row
                    found[role] = nearest_column(rest, _USUAL[role])
            if "time" in found:
                found["time"] = found["time"] or likely_time(start, [name for name in found.values() if name])
        named = {role: name for role, name in found.items() if name is not None}
        if "time" not in named and self.used.get("time") == Columns.Timestamp:
            found.pop("time", None)  # read in the order of the rows
        if not found or len(named) < len(found):
            return []
        return [*column_options(self.given.model_dump(exclude_none=True) | named), *self.how_options(items=True)]

    def _start(self, path: Path) -> pl.DataFrame:
        """The first rows of a table."""
        from genrec.data.tables import table_start

        return table_start(path, quotes=self.how.get("quotes", "doubled"))

    def _use(self, path: Path, names: ColumnNames, columns: Sequence[str]) -> None:
        """Note which columns are read, and tell on stderr where they have other names than usual."""
        chosen = names.model_dump(exclude_none=True)
        self.used.update(chosen)
        there = {role: name for role, name in chosen.items() if name in (*columns, "none")}
        if told := [f"{role} {name}" for role, name in there.items() if _USUAL.get(role) != name]:
            err.print(f"Columns of {path.name}: {', '.join(told)}.")


def column_options(names: Mapping[str, str]) -> list[str]:
    """Options that name columns by role.

    >>> column_options({"user": "customer", "time": "none"})
    ['--user-column', 'customer', '--time-column', 'none']
    """
    return [word for role, name in names.items() for word in (f"--{role}-column", name)]


def _moment(text: str) -> float | str:
    """A share such as ``0.8`` as a number, whatever else is a date or a time."""
    try:
        share = float(text)
    except ValueError:
        return text
    return share if 0 < share < 1 else text
