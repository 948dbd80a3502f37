"""Training whose loss or weights stop being numbers: it ends there, and the last good weights are kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch

from genrec.errors import GenRecError
from genrec.training.distributed import anyone

if TYPE_CHECKING:
    from transformers import Trainer

logger = logging.getLogger(__name__)

_SKIPPED = 20  # steps in a row that a gradient scaler may skip while it looks for its factor


class DivergedError(GenRecError):
    """The loss or the weights became infinite or no number, and there are no good weights to keep."""


class DivergenceGuard:
    """Ends training before a broken loss reaches the weights, and before broken weights are judged or saved.

    Args:
        patience: Broken steps in a row that are allowed; only with a gradient scaler (float16), which skips them.
    """

    def __init__(self, patience: int = 0) -> None:
        self.patience, self._broken = patience, 0

    @classmethod
    def of(cls, arguments: Any) -> DivergenceGuard:
        """The guard that fits transformers' ``TrainingArguments``."""
        return cls(_SKIPPED if arguments.fp16 else 0)

    def check_loss(self, loss: torch.Tensor, trainer: Trainer) -> None:
        """Look at the loss of one step, before its gradients are applied.

        Raises:
            DivergedError: It is infinite or no number, in any process.
        """
        broken = not bool(torch.isfinite(loss).all())
        if trainer.args.world_size > 1:
            broken = anyone(broken)
        self._broken = self._broken + 1 if broken else 0
        if self._broken > self.patience:
            raise _diverged(f"The training loss is no number at step {trainer.state.global_step + 1}.", trainer)

    def check_weights(self, trainer: Trainer) -> None:
        """Look at what is trained, at the end of an epoch.

        Raises:
            DivergedError: A weight is infinite or no number, in any process.
        """
        model: Any = trainer.model
        trained = [value for value in model.parameters() if value.requires_grad and value.numel()]
        broken = not all(bool(torch.isfinite(value.detach()).all()) for value in trained)
        if broken if trainer.args.world_size == 1 else anyone(broken):
            raise _diverged(f"The weights are no numbers after step {trainer.state.global_step}.", trainer)


def _diverged(what: str, trainer: Trainer) -> DivergedError:
    rate = trainer.args.learning_rate
    return DivergedError(
        what,
        where=f"trainer.learning_rate {rate:g}",
        expected="a finite loss",
        hint="Lower trainer.learning_rate or raise trainer.warmup_steps; bfloat16 holds what float16 overflows on.",
    )
