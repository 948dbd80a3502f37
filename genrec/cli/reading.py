"""How commands read tables: they say what was found and handled, and which split was made."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.cli.columns import Tables
from genrec.cli.console import err, for_shell

if TYPE_CHECKING:
    from genrec.data.interactions import Interactions
    from genrec.data.report import DataReport
    from genrec.data.split import Split, SplitSettings
    from genrec.recommender import Recommender


def shell_command(*words: object) -> str:
    """A ``genrec`` command as a shell reads it.

    >>> shell_command("index", "show", "my runs/index")
    "genrec index show 'my runs/index'"
    """
    return "genrec " + shlex.join(str(word) for word in words)


def own_command() -> str:
    """The command that runs now."""
    return shell_command(*sys.argv[1:])


def free_path(*wanted: str | Path) -> Path:
    """The first of some paths that is not taken, else the last with a number behind its name."""
    paths = [Path(path) for path in wanted]
    for path in paths:
        if not path.exists():
            return path
    last, number = paths[-1], 2
    while (path := last.with_name(f"{last.stem}-{number}{last.suffix}")).exists():
        number += 1
    return path


def tell(
    reports: Sequence[DataReport],
    options: Sequence[str] = (),
    items: Path | None = None,
    interactions: Path | None = None,
) -> None:
    """What was found and handled in tables, on stderr, and the command that shows more; nothing where all is well.

    Args:
        reports: Of the tables that were read.
        options: With which ``genrec data check`` reads them in the same way.
        items: Table of the items, or the index or recommender that knows them; None: no command shows more.
        interactions: Table of the interactions.
    """
    lines = [_said(line, report) for report in reports for line in report.lines()]
    if not lines:
        return
    err.print("Found and handled:")
    for line in lines:
        err.print(f"  {line}")
    if items is not None:
        places = [items] if interactions is None else [items, interactions]
        err.print(f"  More: {shell_command('data', 'check', *places, *options)}")


def _said(line: str, report: DataReport) -> str:
    """A line of a report for the shell; what stands in the table stays as it is."""
    for advice in {problem.advice for problem in report.problems if problem.advice}:
        line = line.replace(advice, for_shell(advice))
    return line


def read_split(
    tables: Tables, path: Path, item_ids: Any, choice: SplitSettings, *, drop_repeats: bool = True
) -> tuple[Split, Interactions]:
    """Interactions, and the split that they are cut into.

    Args:
        tables: How to read them.
        path: The table.
        item_ids: ``(n_items,)`` the catalogue.
        choice: The split.
        drop_repeats: Whether the same item several times in a row counts once; not in a split of one's own.

    Raises:
        DataError: The table cannot be read or cut like this.
    """
    from genrec.data.split import CUSTOM, split_interactions

    table = tables.interactions(path, part_column=choice.options["part_column"] if choice.name == CUSTOM else None)
    return split_interactions(table, item_ids, choice, drop_repeats), table


def split_text(choice: SplitSettings) -> str:
    """A split for people: ``global-time, validation from 0.8, test from 0.9``."""
    if "part_column" in choice.options:
        return f"{choice.name}, by the column '{choice.options['part_column']}'"
    return choice.name + "".join(f", {key.replace('_', ' ')} {value}" for key, value in choice.options.items())


def known_columns(recommenders: Sequence[Recommender]) -> list[Any]:
    """Names of columns that recommenders remember, and those of their indexes."""
    own = [one.columns for one in recommenders]
    return own + [one.index.columns for one in recommenders if hasattr(one, "index")]
