"""ReaRec's two ways to learn latent steps: as an ensemble of different states, or step by step."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from genrec.models.outputs import CodeModelOutput
from genrec.training.contrast import info_nce, some
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import AlignmentSettings
from genrec.training.objectives.stepwise import Stepwise, divergence, shares

objective = OBJECTIVES.add


class ReasoningSettings(AlignmentSettings):
    """Settings of ``reasoning``."""

    way: Literal["ensemble", "progressive"] = Field(
        "progressive", description="ensemble: steps are pushed apart; progressive: earlier steps learn softer targets"
    )
    apart: float = Field(0.01, ge=0, description="ensemble: weight of the divergence between steps, to be made larger")
    early: float = Field(0.5, ge=0, description="progressive: weight of the likelihood at all steps but the last")
    softer: float = Field(
        1.5, ge=1, description="progressive: factor of the temperature for every step before the last"
    )
    contrast: float = Field(0.1, ge=0, description="progressive: weight of clean steps against the same with noise")
    noise: float = Field(0.01, ge=0, description="progressive: its standard deviation, as a share of a state's length")
    temperature: float = Field(0.2, gt=0, description="progressive: of the softmax over the others of the batch")
    rows: int = Field(1024, ge=2, description="most targets of a batch that are compared with each other")


@objective("reasoning")
class Reasoning(Stepwise):
    """Losses of ReaRec (arXiv 2503.22675).

    Ensemble (ERL): what is written from is the mean of all steps, and the divergence between every two steps is made
    larger. Progressive (PRL): the earlier a step, the higher the temperature of its likelihood, and steps that are
    read with a little noise must be found again among those of the batch.
    """

    Config = ReasoningSettings
    settings: ReasoningSettings

    def over_steps(
        self, model: Any, steps: Tensor, output: CodeModelOutput, batch: dict[str, Any]
    ) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Stepwise.over_steps`."""
        if len(steps) < 2:
            return {}
        if self.settings.way == "ensemble":
            return {"apart": (-self.settings.apart, between_steps(model, steps, output.need("targets")))}
        right, last = output.need("targets"), len(steps) - 1
        early = [
            model.terms_from(steps[step], right, self.settings.softer ** (last - step))[0].mean()
            for step in range(last)
        ]
        found = {"early_steps": (self.settings.early, torch.stack(early).mean())}
        if self.settings.contrast:
            noisy, _ = model.step_states(**batch, noise=self.settings.noise)
            chosen = some(len(right), self.settings.rows, right.device)
            rows = output.need("rows")[chosen]
            pairs = [
                info_nce(steps[n, chosen], noisy[n, chosen], self.settings.temperature, rows)
                for n in range(1, last + 1)
            ]
            found["steps_with_noise"] = (self.settings.contrast, torch.stack(pairs).mean())
        return found


def between_steps(model: Any, steps: Tensor, right: Tensor) -> Tensor:
    """Mean divergence between every two steps, of the codes of all levels behind the right ones; a scalar.

    Args:
        model: Gives scores of codes.
        steps: ``(1 + steps, n, dim)``.
        right: ``(n, levels)`` int64.
    """
    total = steps.new_zeros(())
    for level in shares(model, steps, right):
        for one in range(len(steps)):
            for other in range(len(steps)):
                if one != other:
                    total = total + divergence(level[one], level[other]).mean()
    return total / (len(steps) * (len(steps) - 1))
