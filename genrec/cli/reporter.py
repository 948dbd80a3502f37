"""What ``genrec train`` shows while it trains; imported inside the command, because it needs transformers."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from genrec.cli.console import duration, err, heading, say
from genrec.cli.stopping import stop
from genrec.prompts.examples import TextExamples
from genrec.training.pace import Pace, time_left
from genrec.training.policy.monitor import told_figures
from genrec.training.trainer import StopOnRequest
from genrec.wording import count

EARLY = 60.0
"""Seconds after which a run without a terminal says how fast it is, if no epoch has ended by then."""


def show_tasks(examples: TextExamples) -> None:
    """One rendered example of every task, and how much of the training it is."""
    for (name, rendered), share in zip(examples.example_of_each_task(), examples.shares(), strict=True):
        heading(f"Task {name}, {share:.0%} of the examples")
        say(rendered.source)
        say(f"→ {rendered.target}")
    say()


class Reporter(StopOnRequest):
    """A transformers callback that prints a line per epoch and turns Ctrl-C and SIGTERM into a checkpoint.

    Args:
        clock: In seconds.

    Attributes:
        pace: Of the trainer, which puts its own here.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self.began, self.first, self.told = clock, clock(), 0, False
        self.pace: Pace | None = None
        self.packed = False
        self.loss: float | None = None
        self.figures = ""
        self.signal = int(signal.SIGINT)

    def on_interrupt(self, number: int, frame: Any) -> None:
        """Signal handler: the first Ctrl-C or SIGTERM stops after the current step, the second at once."""
        if self.requested:
            raise stop(number)
        self.requested, self.signal = True, number
        err.print("\nStopping after this step, with a checkpoint (again: at once) …")

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Say how much there is to do, and show what the model will read."""
        self.began, self.first, self.told = self._clock(), int(state.global_step), False
        self.packed = bool(getattr(kwargs.get("model"), "packs", False))
        examples = getattr(kwargs.get("train_dataloader"), "dataset", None)
        if isinstance(examples, TextExamples):
            show_tasks(examples)
        if state.global_step:
            say(f"Continuing at step {state.global_step:,} of {state.max_steps:,}.")
        else:
            epochs = count(state.num_train_epochs, "epoch")
            say(f"{count(state.max_steps, 'step')} in {epochs} at most.")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Count the steps on a terminal; elsewhere say once, early in a long run, how fast it is."""
        if err.is_terminal:
            err.print(f"  step {state.global_step:,}/{state.max_steps:,}  {self._spent(state)}", end="\r")
        elif not self.told and self._clock() - self.began >= EARLY:
            say(f"step {state.global_step:,} of {state.max_steps:,}  ({self._spent(state)})")
            self.told = True
        return super().on_step_end(args, state, control, **kwargs)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """One line per validation."""
        logs = logs or {}
        self.loss = logs.get("loss", self.loss)
        if told := told_figures(logs):
            self.figures = "".join(f"{name} {value:.4g}  " for name, value in told.items())
        measured = {key.removeprefix("eval_"): value for key, value in logs.items() if key.startswith("eval_")}
        if measured:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in measured.items())
            loss = "" if self.loss is None else f"loss {self.loss:.4g}  "  # None: nothing was logged yet
            say(f"epoch {state.epoch:5.1f}  {loss}{self.figures}validation {figures}  ({self._spent(state)})")
            self.told = True

    def pace_words(self) -> str:
        """How fast training was, in words; nothing where it did not train."""
        return "" if self.pace is None else self.pace.words(packed=self.packed)

    def _spent(self, state: Any) -> str:
        """Time so far and left at most, and the pace."""
        spent = self._clock() - self.began
        steps, most = int(getattr(state, "global_step", 0)), int(getattr(state, "max_steps", 0))
        left = time_left(spent, steps - self.first, most - steps)
        parts = [duration(spent), "" if not left else f"{duration(left)} left at most", self.pace_words()]
        return ", ".join(part for part in parts if part)
