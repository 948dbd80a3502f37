"""Options that several commands share: names of columns."""

from __future__ import annotations

from typing import Annotated

import typer

UserColumn = Annotated[str, typer.Option("--user-column", help="User ids of the interactions.")]
ItemColumn = Annotated[str, typer.Option("--item-column", help="Item ids of the interactions.")]
TimeColumn = Annotated[str, typer.Option("--time-column", help="Times of the interactions, or none.")]
PartColumn = Annotated[
    str | None, typer.Option("--part-column", help="Column with train, validation or test: your own split.")
]


def names(user: str, item: str, time: str, part: str | None) -> dict[str, str | None]:
    """Arguments of :meth:`genrec.data.interactions.Interactions.read`."""
    return {
        "user_column": user,
        "item_column": item,
        "time_column": None if time == "none" else time,
        "part_column": part,
    }
