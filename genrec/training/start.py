"""Networks that recommend before they are trained: what they begin with is a candidate, like every epoch."""

from __future__ import annotations

import logging
from typing import Any

import torch

from genrec.training.distributed import agreed
from genrec.training.trainer import RecommenderTrainer, Validate

logger = logging.getLogger(__name__)


class StartingPoint:
    """Weights and validation before training.

    Args:
        trainer: Before ``train``, and before a checkpoint is loaded.
        validate: Generated validation.
        metric: What epochs are chosen by.

    Attributes:
        metrics: Of the validation sample.
    """

    def __init__(self, trainer: RecommenderTrainer, validate: Validate, metric: str) -> None:
        model: Any = trainer.model
        self.metrics, self.metric = agreed(validate, model, trainer.accelerator), metric
        self.weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}

    @torch.no_grad()
    def restore_if_better(self, trainer: RecommenderTrainer) -> dict[str, Any]:
        """Put the weights back unless an epoch recommended better.

        Returns:
            Entries of a run's metrics: ``start``, and where the weights are back ``validation`` and ``best_epoch``.
        """
        best = trainer.state.best_metric
        if best is not None and best > self.metrics[self.metric]:
            return {"start": self.metrics}
        model: Any = trainer.model
        model.load_state_dict(self.weights)
        logger.warning(
            "No epoch recommended better than the weights at the start (validation %s %.4f): these are kept.",
            self.metric,
            self.metrics[self.metric],
        )
        return {"start": self.metrics, "validation": self.metrics, "best_epoch": 0}
