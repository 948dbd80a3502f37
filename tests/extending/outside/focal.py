"""An objective: examples that are learned already count less (focal loss, https://arxiv.org/abs/1708.02002)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field

from genrec.config import Settings
from genrec.errors import ModelError
from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives.base import Forward, Objective


class FocalSettings(Settings):
    """Settings of :class:`Focal`."""

    gamma: float = Field(2.0, ge=0, description="how much less; 0: every example counts the same")


class Focal(Objective):
    """The mean over examples of ``(1 - p) ** gamma * -log p``, where ``p`` is the geometric mean of their targets'."""

    Config: ClassVar[type[Settings]] = FocalSettings
    over_targets: ClassVar[bool] = False

    def loss(self, forward: Forward, batch: dict[str, Any]) -> CodeModelOutput:
        """See :meth:`Objective.loss`."""
        likelihood = forward(batch).log_likelihood
        if likelihood is None:
            raise ModelError("The network says nothing about single examples.")
        mean = likelihood / batch["mask"].sum(1).clamp_min(1)
        loss = ((1 - mean.exp()) ** self.settings.gamma * -mean).mean()
        return CodeModelOutput(loss=loss, n_targets=torch.tensor(len(mean), device=mean.device))
