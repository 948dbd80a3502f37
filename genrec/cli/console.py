"""What the commands share: consoles, errors without tracebacks, and summaries."""

from __future__ import annotations

import functools
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from genrec.cli.failures import explained, refuse_odd_bytes
from genrec.cli.outputs import Claims, claims, part_of_another
from genrec.cli.plain import aligned, plain_markdown
from genrec.cli.stopping import exit_code, stop_behind, terminable
from genrec.cli.visible import VisibleFormatter, one_line, visible
from genrec.errors import GenRecError


class PlainConsole(Console):
    """A console that takes text as text: neither markup nor signs that a terminal obeys mean anything in it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=True, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print text as it is, or anything that rich can draw."""
        super().print(*(Text(visible(one)) if isinstance(one, str) else one for one in objects), **options)


# Of several processes that train together (torchrun, accelerate) only the first speaks.
out = PlainConsole(quiet=os.environ.get("RANK", "0") != "0")
err = PlainConsole(stderr=True)

_FOR_PYTHON = re.compile(r" \((?:[^()]|\((?:[^()]|\([^()]*\))*\))* in Python\)")

F = TypeVar("F", bound=Callable[..., Any])


def quiet_libraries() -> None:
    """Settings of the libraries below us, before they are imported: no chatter; genrec says itself what happens."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a sign shows its number
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.getLogger("genrec").setLevel(logging.INFO)


def guarded(command: F) -> F:
    """Turn errors that a user can fix into one message and exit code 1, and Ctrl-C or SIGTERM into 130 or 143."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        quiet_libraries()
        inner, mine = part_of_another(), Claims()
        try:
            with terminable(), claims(_paths(kwargs)) as mine:
                refuse_odd_bytes(kwargs.values())
                return command(*args, **kwargs)
        except BaseException as error:
            if (stop := stop_behind(error)) is not None:
                err.print(f"\nStopped. {_after_stop([] if inner else mine.written())}")
                raise typer.Exit(exit_code(stop)) from None
            written = [] if inner else mine.written()
            if (message := explained(error, written)) is None:
                raise
            show_error(message)
            raise typer.Exit(1) from None

    return run  # type: ignore[return-value]


def _paths(given: Mapping[str, Any]) -> Iterator[Path]:
    """Files and folders among the arguments; other texts are names, even where a file is called like that."""
    for name, value in given.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, Path) or (name == "out" and isinstance(one, str)):
                yield Path(one)


def _after_stop(written: Sequence[Path]) -> str:
    """What a stopped command leaves, and what to do."""
    if not written:
        return "Nothing was half-written; run the same command again."
    return (
        f"{', '.join(str(path) for path in written)}: written before that, and whole. Only the report here is missing."
    )


def show_error(error: GenRecError) -> None:
    """Print an error on stderr, without the words that are for callers in Python."""
    err.print(Text.assemble(("Error:", "bold red"), " ", visible(for_shell(str(error)))))


def for_shell(text: str) -> str:
    """Words of the library without those that are for callers in Python.

    >>> for_shell("Name it: --id-column sku (id_column='sku' in Python).")
    'Name it: --id-column sku.'
    """
    return _FOR_PYTHON.sub("", text)


def say(text: str = "") -> None:
    """Print a line of plain text."""
    out.print(text)


def heading(text: str) -> None:
    """Print a heading."""
    out.print()
    out.print(text, style="bold")


def markdown(text: str) -> None:
    """Print Markdown: drawn on a terminal, as plain text elsewhere."""
    if out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(visible(text)), soft_wrap=False)  # else lines are cut where the terminal ends
    else:
        say(plain_markdown(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table; all columns but the first are right-aligned when they hold numbers.

    Off a terminal nothing is cut or wrapped, however wide it is.
    """
    if not out.is_terminal:
        _plain(columns, rows, title)
        return
    from rich.table import Table

    grid = Table(
        title=None if title is None else Text(one_line(title)),
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for at, name in enumerate(columns):
        numeric = all(isinstance(row[at], int | float) or str(row[at]).replace(".", "").isdigit() for row in rows)
        grid.add_column(Text(one_line(name)), justify="right" if at and numeric else "left")
    for row in rows:
        grid.add_row(*[Text(f"{cell:.4f}" if isinstance(cell, float) else one_line(cell)) for cell in row])
    out.print(grid)


def _plain(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None) -> None:
    """A table as lines of text with all of its headings and cells."""
    cells = [[f"{cell:.4f}" if isinstance(cell, float) else one_line(cell) for cell in row] for row in rows]
    right = [at > 0 and all(isinstance(row[at], int | float) for row in rows) for at in range(len(columns))]
    if title is not None:
        say(one_line(title))
    for line in aligned([[one_line(name) for name in columns], *cells], right):
        say(line)


def summary(made: dict[str, object], then: Sequence[str] = ()) -> None:
    """The end of every command: what was made, where, and what to run next."""
    out.print()
    width = max((len(key) for key in made), default=0)
    for key, value in made.items():
        out.print(Text.assemble((visible(f"{key:<{width}}"), "bold"), "  ", visible(str(value))))
    if then:
        out.print("next", style="bold")
        for command in then:
            out.print(f"  {command}", style="cyan")


def duration(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
