"""What ``genrec train`` shows while it trains; imported inside the command, because it needs transformers."""

from __future__ import annotations

import signal
import time
from typing import Any

from genrec.cli.console import duration, err, heading, say
from genrec.cli.stopping import stop
from genrec.prompts.examples import TextExamples
from genrec.training.policy.monitor import told_figures
from genrec.training.trainer import StopOnRequest
from genrec.wording import count


def show_tasks(examples: TextExamples) -> None:
    """One rendered example of every task, and how much of the training it is."""
    for (name, rendered), share in zip(examples.example_of_each_task(), examples.shares(), strict=True):
        heading(f"Task {name}, {share:.0%} of the examples")
        say(rendered.source)
        say(f"→ {rendered.target}")
    say()


class Reporter(StopOnRequest):
    """A transformers callback that prints a line per epoch and turns Ctrl-C and SIGTERM into a checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()
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
        self.began = time.monotonic()
        examples = getattr(kwargs.get("train_dataloader"), "dataset", None)
        if isinstance(examples, TextExamples):
            show_tasks(examples)
        if state.global_step:
            say(f"Continuing at step {state.global_step:,} of {state.max_steps:,}.")
        else:
            epochs = count(state.num_train_epochs, "epoch")
            say(f"{count(state.max_steps, 'step')} in {epochs} at most.")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Count the steps on a terminal."""
        if err.is_terminal:
            spent = duration(time.monotonic() - self.began)
            err.print(f"  step {state.global_step:,}/{state.max_steps:,}  {spent}", end="\r")
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
            spent = duration(time.monotonic() - self.began)
            loss = "" if self.loss is None else f"loss {self.loss:.4g}  "  # None: nothing was logged yet
            say(f"epoch {state.epoch:5.1f}  {loss}{self.figures}validation {figures}  ({spent})")
