"""Progress on stderr: a bar on a terminal, elsewhere a line now and then that only ever goes forward."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from genrec.cli import console
from genrec.cli.visible import one_line

SECONDS = 10.0
"""Least time between two lines where there is no terminal."""


class Update(Protocol):
    """Called with how much of a stage is done, how much there is, and the stage's name where there are several."""

    def __call__(self, done: int, total: int, stage: str = "") -> None:
        """Tell how far a stage is."""


class Stages:
    """Names what is going on: the label, the stage, and the pass where one stage is gone through again.

    What stands behind a colon in a stage's name are details, such as the loss of an epoch: the stage stays the same.

    >>> stages = Stages("encoding items")
    >>> stages.name(5), stages.name(9), stages.name(2), stages.name(1, "texts")
    ('encoding items', 'encoding items', 'encoding items, pass 2', 'encoding items (texts)')
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._last: dict[str, tuple[int, int]] = {}  # stage: pass, done

    def name(self, done: int, stage: str = "") -> str:
        """The name of a stage that has come this far."""
        key = stage.partition(":")[0]
        number, before = self._last.get(key, (1, -1))
        number += done < before
        self._last[key] = number, done
        name = f"{self._label} ({stage})" if stage else self._label
        return name if number == 1 else f"{name}, pass {number}"


@contextmanager
def progress(label: str) -> Iterator[Update]:
    """Show progress; yields an :class:`Update`. What libraries of ours log about the same steps is kept back."""
    log = logging.getLogger("genrec.baselines")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        if console.err.is_terminal:
            with _bar(label) as update:
                yield update
        else:
            yield plain_progress(label, console.err.print)
    finally:
        log.setLevel(before)


@contextmanager
def _bar(label: str) -> Iterator[Update]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console.err, transient=True) as bar:
        task, stages, shown = bar.add_task(one_line(label), total=None), Stages(label), label

        def update(done: int, total: int, stage: str = "") -> None:
            nonlocal shown
            name = stages.name(done, stage)
            if name.partition(":")[0] != shown:  # its own time, not that of the stage before
                bar.reset(task)
                shown = name.partition(":")[0]
            bar.update(task, completed=done, total=total, description=one_line(name))

        yield update


def plain_progress(
    label: str, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS
) -> Update:
    """An update that says a line when enough time has passed, and none twice.

    Args:
        label: What is going on.
        say: Takes a line.
        clock: In seconds.
        seconds: Least time between two lines.
    """
    last, said, stages = clock(), "", Stages(label)

    def update(done: int, total: int, stage: str = "") -> None:
        nonlocal last, said
        line = f"{stages.name(done, stage)}: {done:,} of {total:,}"
        if clock() - last >= seconds and line != said:
            last, said = clock(), line
            say(line)

    return update
