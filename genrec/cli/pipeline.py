"""The face of the command: verbs in the order of the work, in sections; kinds of values in words of people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperGroup

_WORDS = {"str": "text", "path": "path", "int": "number", "float": "number"}


class Pipeline(TyperGroup):
    """Verbs under the headings that they were registered with (``rich_help_panel``), in the order of :attr:`order`."""

    order: tuple[str, ...] = ()
    """Names of verbs as the work goes; others come last."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for command in _tree(self):
            for parameter in command.params:
                _in_words(parameter)

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the work."""
        places = {name: place for place, name in enumerate(self.order)}
        return sorted(super().list_commands(ctx), key=lambda name: places.get(name, len(places)))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One list of verbs a section, each with its whole help."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                title = getattr(command, "rich_help_panel", None) or "Commands"
                sections.setdefault(title, []).append(
                    (name.ljust(len(max(self.commands, key=len))), command.help or "")
                )
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _tree(command: Any) -> Iterable[Any]:
    """A command and all below it."""
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from _tree(one)


def _in_words(parameter: Any) -> None:
    """Say ``<text>`` where typer says ``<list[str]>``; how often an option may come is in its help."""
    told = getattr(parameter, "display_type", None)
    if told is not None:
        parameter.display_type = lambda ctx: in_words(told(ctx))


def in_words(label: str) -> str:
    """A label of typer without names of Python types.

    >>> in_words("<list[int range]>"), in_words("<str>"), in_words("<local|ray>")
    ('<number>', '<text>', '<local|ray>')
    """
    inner = label.strip("<>").removeprefix("list[").removesuffix("]").removesuffix(" range")
    return f"<{_WORDS.get(inner.lower(), inner)}>"
