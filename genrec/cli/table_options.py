"""The options of commands that read tables, by kind of table: names of columns, rows that may be lost, the split."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

Quotes = Literal["doubled", "backslash", "none"]
Html = Literal["plain", "keep"]


def _option(flag: str, text: str, kind: Any = str, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(flag, help=text, **more)]


ITEMS = {
    "id_column": _option("--id-column", "Item ids of the items table and of lists of items."),
    "title_column": _option(
        "--title-column", "Field that a person reads of an item (default: title, or the likeliest)."
    ),
}
INTERACTIONS = {
    "user_column": _option("--user-column", "User ids of the interactions."),
    "item_column": _option("--item-column", "Item ids of the interactions."),
    "time_column": _option("--time-column", "Times of the interactions; none: the order of the rows."),
}
HOW = {
    "allow_lost": _option("--allow-lost", "Largest share of rows that may be lost.", float, min=0, max=1),
    "quotes": _option("--quotes", "Quotes in csv fields: doubled or backslash; none: plain signs.", Quotes),
}
HTML = {"html": _option("--html", "HTML in texts of items: made plain, or keep it.", Html)}
_PART = {"part_column": _option("--part-column", "Column with train, validation or test: your own split.")}
_SPLIT = {
    "split": _option("--split", "Split: leave-one-out or global-time (default: as the index or recommender was made)."),
    "validation_from": _option(
        "--validation-from", "Start of validation in global time: a date, or a share such as 0.8."
    ),
    "test_from": _option("--test-from", "Start of test in global time: a date, or a share."),
    **_PART,
}
_DOMAINS = {
    name: Annotated[
        list[str] | None, typer.Option(f"--{name.replace('_', '-')}", help=f"{text}; NAME=COLUMN for one domain.")
    ]
    for name, text in (
        ("id_column", "Item ids of the items tables"),
        ("title_column", "Field that a person reads of an item"),
        ("user_column", "User ids of the interactions"),
        ("item_column", "Item ids of the interactions"),
        ("time_column", "Times of the interactions, or none for the order of the rows"),
    )
}
TABLE_OPTIONS = {
    "items": {**ITEMS, **HTML, **HOW},
    "interactions": {**INTERACTIONS, **HOW},
    "lists": {"id_column": ITEMS["id_column"], **HOW},
    "domains": {**_DOMAINS, **HTML, **HOW},
    "part": _PART,
    "split": _SPLIT,
}
"""Parameter → option, by kind: see :func:`genrec.cli.columns.reads`."""
