"""Training under a command: signals stop it after a step, and what it learned is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from genrec.cli.console import err
from genrec.cli.stopping import on_signals

if TYPE_CHECKING:
    from genrec.cli.reporter import Reporter


@contextmanager
def stoppable() -> Iterator[Reporter]:
    """Around training: yields its reporter, whose signals stop it after a step; the command ends as the signal asked.

    Raises:
        typer.Exit: The training was stopped; what it learned is kept.
    """
    from genrec.cli.reporter import Reporter
    from genrec.training.session import TrainingStoppedError

    reporter = Reporter()
    try:
        with on_signals(reporter.on_interrupt):
            yield reporter
    except TrainingStoppedError as stopped:
        err.print(f"\n{stopped}")
        raise typer.Exit(128 + reporter.signal) from None
