"""Latent steps that learn one code after another: DTRec's supervision from coarse to fine."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import AlignmentSettings
from genrec.training.objectives.stepwise import Stepwise, shares

objective = OBJECTIVES.add


class PrefixStepsSettings(AlignmentSettings):
    """Settings of ``prefix-steps``."""

    steps: float = Field(0.5, ge=0, description="weight of the likelihood of prefixes at all steps but the last")


@objective("prefix-steps")
class PrefixSteps(Stepwise):
    """Every step but the last learns the first codes of the next item, the later the more of them.

    DTRec supervises step by step with cluster prototypes, from coarse to fine; a prefix of a semantic ID is the cluster
    of an item already.
    """

    Config = PrefixStepsSettings
    settings: PrefixStepsSettings

    def over_steps(
        self, model: Any, steps: Tensor, output: CodeModelOutput, batch: dict[str, Any]
    ) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Stepwise.over_steps`."""
        if len(steps) < 2:
            return {}
        right = output.need("targets")
        levels = shares(model, steps[:-1], right)
        terms = [
            -levels[level][step].gather(1, right[:, level, None]).mean()
            for step, known in enumerate(depths(len(steps), right.shape[1])[:-1])
            for level in range(known)
        ]
        return {"prefixes": (self.settings.steps, torch.stack(terms).sum() / (len(steps) - 1))}


def depths(steps: int, levels: int) -> list[int]:
    """How many codes every step learns: at least one, all at the last.

    >>> depths(3, 3), depths(3, 4), depths(5, 2)
    ([1, 2, 3], [2, 3, 4], [1, 1, 2, 2, 2])
    """
    return [-(-(step + 1) * levels // steps) for step in range(steps)]
