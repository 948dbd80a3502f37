"""Networks that recommend before they are trained: what they begin with is a candidate, like every epoch."""

from __future__ import annotations

import logging
from typing import Any, cast

import torch

from genrec.metrics import METRICS
from genrec.training.distributed import agreed
from genrec.training.trainer import RecommenderTrainer, Validate

logger = logging.getLogger(__name__)


class StartingPoint:
    """Weights and validation before training.

    Args:
        trainer: Before ``train``, and before a checkpoint is loaded.
        validate: Generated validation. Where it keeps the ``ranks`` of its cases, an epoch must be better by more than
            two standard errors of the difference: a hundred cases find a better one among ten epochs by chance.

    Attributes:
        metrics: Of the validation sample.
    """

    def __init__(self, trainer: RecommenderTrainer, validate: Validate) -> None:
        model: Any = trainer.model
        self.metrics = agreed(validate, model, trainer.accelerator)
        self.weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        self._validate, self._ranks = validate, getattr(validate, "ranks", None)

    @torch.no_grad()
    def restore_unless_better(self, trainer: RecommenderTrainer) -> dict[str, Any]:
        """Put the weights back unless an epoch recommended better, by the metric that chooses among epochs.

        Where no epoch is chosen (``load_best_model_at_end`` is off, nothing was evaluated, or by something that is not
        measured here) what was trained stays.

        Returns:
            Entries of a run's metrics: ``start``, and where the weights are back ``validation`` and ``best_epoch``.
        """
        metric = (trainer.args.metric_for_best_model or "").removeprefix("eval_")
        best, before = trainer.state.best_metric, self.metrics.get(metric)
        if not trainer.args.load_best_model_at_end or best is None or before is None:
            return {"start": self.metrics}
        if best > before and self._beyond_chance(trainer, metric):
            return {"start": self.metrics}
        model: Any = trainer.model
        model.load_state_dict(self.weights)
        logger.warning(
            "No epoch recommended better than the weights at the start (validation %s %.4f) beyond chance: these are "
            "kept.",
            metric,
            before,
        )
        return {"start": self.metrics, "validation": self.metrics, "best_epoch": 0}

    def _beyond_chance(self, trainer: RecommenderTrainer, metric: str) -> bool:
        """Whether the epoch that is loaded now gains more than two standard errors over the start, case by case."""
        before = self._ranks
        if before is None:
            return True

        def difference() -> dict[str, float]:
            self._validate()
            name, k = metric.split("@")
            after: Any = self._validate
            gains = METRICS[name](after.ranks, int(k)) - METRICS[name](before, int(k))
            return {"mean": float(gains.mean()), "error": float(gains.std() / max(1, len(gains)) ** 0.5)}

        found = agreed(difference, cast(Any, trainer.model), trainer.accelerator)
        return found["mean"] > 2 * found["error"]
