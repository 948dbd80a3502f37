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

    Attributes:
        metrics: Of the validation sample.
    """

    def __init__(self, trainer: RecommenderTrainer, validate: Validate) -> None:
        model: Any = trainer.model
        self.metrics = agreed(validate, model, trainer.accelerator)
        self.weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}

    @torch.no_grad()
    def restore_if_better(self, trainer: RecommenderTrainer) -> dict[str, Any]:
        """Put the weights back unless an epoch recommended better, by the metric that chooses among epochs.

        Where no epoch is chosen (``load_best_model_at_end`` is off, nothing was evaluated, or by something that is not
        measured here) what was trained stays.

        Returns:
            Entries of a run's metrics: ``start``, and where the weights are back ``validation`` and ``best_epoch``.
        """
        metric = (trainer.args.metric_for_best_model or "").removeprefix("eval_")
        best, before = trainer.state.best_metric, self.metrics.get(metric)
        if not trainer.args.load_best_model_at_end or best is None or before is None or best > before:
            return {"start": self.metrics}
        model: Any = trainer.model
        model.load_state_dict(self.weights)
        logger.warning(
            "No epoch recommended better than the weights at the start (validation %s %.4f): these are kept.",
            metric,
            before,
        )
        return {"start": self.metrics, "validation": self.metrics, "best_epoch": 0}
