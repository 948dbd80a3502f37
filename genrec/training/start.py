"""Networks that recommend before they are trained: what they begin with is a candidate, and a part of what is kept."""

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
        validate: Generated validation. Where it keeps the ``ranks`` of its cases and there is no share, an epoch must
            be better by more than two standard errors of the difference: a hundred cases find a better one among ten
            epochs by chance.
        errors: How many standard errors that is.
        share: Of these weights in what is kept, between 0 and 1; the best epoch has the rest. Averages of the weights
            before and after fine-tuning hold better on cases that come later (WiSE-FT, arXiv 2109.01903), and what
            chance has chosen does little harm in them, so they need only be better.

    Attributes:
        metrics: Of the validation sample.
    """

    def __init__(
        self, trainer: RecommenderTrainer, validate: Validate, share: float = 0.0, errors: float = 2.0
    ) -> None:
        model: Any = trainer.model
        self.metrics = agreed(validate, model, trainer.accelerator)
        self.weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        self._validate, self._ranks, self._share = validate, getattr(validate, "ranks", None), share
        self._errors = errors

    @torch.no_grad()
    def settle(self, trainer: RecommenderTrainer) -> dict[str, Any]:
        """Average the best epoch with the weights at the start, and put these back unless that recommends better.

        Where no epoch is chosen (``load_best_model_at_end`` is off, nothing was evaluated, or by something that is not
        measured here) what was trained stays as it is.

        Returns:
            Entries of a run's metrics: ``start``; ``validation`` of what is kept; ``best_epoch`` 0 where that is the
            start, else ``start_share``, which the start has in it.
        """
        metric = (trainer.args.metric_for_best_model or "").removeprefix("eval_")
        best, before = trainer.state.best_metric, self.metrics.get(metric)
        if not trainer.args.load_best_model_at_end or best is None or before is None:
            return {"start": self.metrics}
        model: Any = trainer.model
        if best > before:
            if self._share:
                model.load_state_dict({name: self._averaged(name, now) for name, now in model.state_dict().items()})
            after, better = self._compared(trainer, metric)
            if better:
                return {"start": self.metrics, "validation": after, "start_share": self._share}
        model.load_state_dict(self.weights)
        logger.warning(
            "No epoch recommended better than the weights at the start (validation %s %.4f)%s: these are kept.",
            metric,
            before,
            "" if self._share or not self._errors else " beyond chance",
        )
        return {"start": self.metrics, "validation": self.metrics, "best_epoch": 0}

    def _averaged(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        return weight.lerp(self.weights[name], self._share) if weight.is_floating_point() else weight

    def _compared(self, trainer: RecommenderTrainer, metric: str) -> tuple[dict[str, float], bool]:
        """Metrics now, and whether they gain on the start as much as they must."""
        before, (name, k) = self._ranks, metric.split("@")

        def measure() -> dict[str, float]:
            after = self._validate()
            if before is None:
                return {**after, "gain": after[metric] - self.metrics[metric], "gain_error": 0.0}
            now: Any = self._validate
            gains = METRICS[name](now.ranks, int(k)) - METRICS[name](before, int(k))
            error = float(gains.std() / max(1, len(gains)) ** 0.5)
            return {**after, "gain": float(gains.mean()), "gain_error": error}

        found = dict(agreed(measure, cast(Any, trainer.model), trainer.accelerator))
        gain, error = found.pop("gain"), found.pop("gain_error")
        return found, gain > (0 if self._share else self._errors * error)
