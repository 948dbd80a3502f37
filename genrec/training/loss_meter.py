"""Mean training loss of a stretch of steps, the same whether or not the run was stopped in between.

transformers starts its sum anew when a run is resumed, so an epoch that was stopped logged the mean of its second part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerState

_KEY = "LossMeter"

Shared = Callable[[float], float]
"""Mean of a number over all processes."""


class LossMeter:
    """Sums of the losses since the last log and since the beginning.

    They go into every checkpoint, in transformers' ``trainer_state.json``.
    """

    def __init__(self) -> None:
        self._since_log, self._total, self._logged_at = 0.0, 0.0, 0
        self._known = False

    def add(self, loss: torch.Tensor, state: TrainerState) -> None:
        """Count the loss of one (micro-)batch, as the trainer returns it."""
        self._continue(state)
        value = float(loss)
        self._since_log += value
        self._total += value

    def fill(self, logs: dict[str, float], state: TrainerState, shared: Shared) -> None:
        """Put the means into what is logged, where transformers logs a loss.

        Args:
            logs: Of transformers; changed in place.
            state: Of the trainer.
            shared: Mean over processes.
        """
        if "loss" in logs or "train_loss" in logs:
            self._continue(state)
        if "loss" in logs:
            steps = max(1, state.global_step - self._logged_at)
            logs["loss"] = shared(self._since_log) / steps
            self._since_log, self._logged_at = 0.0, state.global_step
        if "train_loss" in logs:
            logs["train_loss"] = shared(self._total) / max(1, state.global_step)

    def keep(self, state: TrainerState, shared: Shared) -> None:
        """Write the sums into the trainer's state, before it is saved."""
        self._continue(state)
        sums: dict[str, Any] = {
            "since_log": shared(self._since_log),
            "total": shared(self._total),
            "logged_at": self._logged_at,
        }
        kept: Any = state.stateful_callbacks  # a mapping by now, which transformers declares as a list
        kept[_KEY] = sums

    def _continue(self, state: TrainerState) -> None:
        """Take up what the checkpoint that the run continues from had summed."""
        if self._known:
            return
        self._known = True
        kept: Any = state.stateful_callbacks or {}
        sums = kept.get(_KEY)
        if isinstance(sums, dict):
            self._since_log, self._total = float(sums["since_log"]), float(sums["total"])
            self._logged_at = int(sums["logged_at"])
        else:
            self._logged_at = state.global_step


class Patience(EarlyStoppingCallback):
    """Early stopping that knows, in a resumed run, for how long validation had not become better."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count the validations since the best one in the log of the run."""
        super().on_train_begin(args, state, control, **kwargs)
        name = "eval_" + (args.metric_for_best_model or "").removeprefix("eval_")
        best, since = None, 0
        for value in (entry[name] for entry in state.log_history if name in entry):
            better = best is None or (value > best if args.greater_is_better else value < best)
            best, since = (value, 0) if better else (best, since + 1)
        self.early_stopping_patience_counter = since
