"""Options that take several numbers after one name: ``--seeds 0 1 2``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand

NAMES = ("--seeds",)


class Several(TyperCommand):
    """A command some of whose options (:data:`NAMES`) may be followed by several whole numbers."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As every command; every further number gets the name of its option."""
        return super().parse_args(ctx, list(_named(args)))


def _named(arguments: list[str]) -> Iterator[str]:
    name: str | None = None
    first = False
    for at, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[at:]
            return
        if argument in NAMES:
            name, first = argument, True
        elif name is not None and (first or argument.isdigit()):
            if not first:
                yield name
            first = False
        else:
            name = None
        yield argument
