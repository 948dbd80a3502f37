"""Progress on stderr: a bar on a terminal, elsewhere a line now and then that only ever goes forward."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from genrec.cli import console
from genrec.cli.visible import one_line
from genrec.progress import Progress

SECONDS = 10.0
"""Least time between two lines where there is no terminal."""


class Stages:
    """Names what is going on: the label, the stage, and the pass where one stage is gone through again.

    What stands behind a colon in a stage's name are details, such as the loss of an epoch: the stage stays the same.

    >>> stages = Stages("encoding items")
    >>> stages.name("encoding items", 5), stages.name("encoding items", 2), stages.name("texts", 1)
    ('encoding items', 'encoding items, pass 2', 'encoding items (texts)')
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._last: dict[str, tuple[int, int]] = {}  # stage: pass, done

    def name(self, stage: str, done: int) -> str:
        """The name of a stage that has come this far; one that is called like the whole stays without its own."""
        key = stage.partition(":")[0]
        number, before = self._last.get(key, (1, -1))
        number += done < before
        self._last[key] = number, done
        name = self._label if stage == self._label else f"{self._label} ({stage})"
        return name if number == 1 else f"{name}, pass {number}"


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show progress; yields what is to be called. What libraries of ours log about the same steps is kept back."""
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
def _bar(label: str) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console.err, transient=True) as bar:
        task, stages, shown = bar.add_task(one_line(label), total=None), Stages(label), label

        def update(stage: str, done: int, total: int) -> None:
            nonlocal shown
            name = stages.name(stage, done)
            if name.partition(":")[0] != shown:  # its own time, not that of the stage before
                bar.reset(task)
                shown = name.partition(":")[0]
            bar.update(task, completed=done, total=total, description=one_line(name))

        yield update


def plain_progress(
    label: str, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS
) -> Progress:
    """An update that says a line when enough time has passed, and none twice.

    Args:
        label: What is going on.
        say: Takes a line.
        clock: In seconds.
        seconds: Least time between two lines.
    """
    last, said, stages = clock(), "", Stages(label)

    def update(stage: str, done: int, total: int) -> None:
        nonlocal last, said
        line = f"{stages.name(stage, done)}: {done:,} of {total:,}"
        if clock() - last >= seconds and line != said:
            last, said = clock(), line
            say(line)

    return update
