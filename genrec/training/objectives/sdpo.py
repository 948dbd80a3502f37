"""Preferences: what the user took against several items that were not taken (S-DPO, arXiv 2406.09215)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from genrec.config import LARGEST_WIDTH
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.base import Forward
from genrec.training.policy.frozen import FrozenWeights
from genrec.training.policy.post_training import PostTraining, PostTrainingSettings, k3
from genrec.training.policy.rollouts import RolloutSettings, roll_out

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel
    from genrec.models.outputs import TrainingBatches

objective = OBJECTIVES.add

_NEVER = -1e9  # finite, so that the gradient is a number where there is no negative at all


class SDPOSettings(PostTrainingSettings):
    """Settings of ``sdpo``.

    Items that no one would recommend are told apart at once, and training then goes on to lower them without end
    (DynamicPO). So the usual negatives are drawn at random from the best items of the network itself.
    """

    negatives: int = Field(8, ge=1, le=LARGEST_WIDTH, description="items against each that was taken")
    source: Literal["own", "random", "popular"] = Field("own", description="where they come from")
    pool: int = Field(
        32, ge=2, le=LARGEST_WIDTH, description="own: the network's best items, of which they are drawn at random"
    )
    beta: float = Field(0.5, gt=0, description="how much a change of log-probability counts")
    margin: float = Field(0.0, ge=0, description="how far what was taken must be ahead")
    alternate: int = Field(0, ge=0, description="steps of likelihood, then as many of preferences, in turn; 0: never")


@objective("sdpo")
class SDPO(PostTraining):
    """Direct preference optimisation with a softmax over several negatives.

    With ``alternate``, stretches of likelihood and of preferences take turns, and every stretch of preferences begins
    with the reference taken anew: SPRec's self-play (arXiv 2412.09243), where negatives are the network's own.
    """

    Config = SDPOSettings
    settings: SDPOSettings
    needs_start: ClassVar[bool] = True

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`."""
        super().prepare(model, index, config)
        self._step = self._taken = 0

    def batches(
        self, model: CodeModel, index: SemanticIndex, histories: Histories, config: TrainConfig
    ) -> TrainingBatches:
        """See :meth:`Objective.batches`; popularity is that of the training part."""
        counts = np.bincount(histories.items, minlength=len(index.item_ids)).astype(np.float64)
        self.chances = torch.from_numpy(np.ones_like(counts) if self.settings.source == "random" else counts)
        return super().batches(model, index, histories, config)

    def begin_step(self, step: int) -> None:
        """See :meth:`Objective.begin_step`: the reference is taken anew when preferences begin."""
        self._step = step
        every = 2 * self.settings.alternate
        if every and step % every == self.settings.alternate and step != self._taken:
            self._taken, self.start = step, FrozenWeights(self.model)

    @property
    def prefers(self) -> bool:
        """Whether this step is one of preferences."""
        turn = self.settings.alternate
        return not turn or self._step % (2 * turn) >= turn

    def learn(self, forward: Forward, batch: dict[str, Any]) -> Tensor:
        """See :meth:`PostTraining.learn`."""
        inputs, targets = batch["inputs"], batch["targets"]
        if not self.prefers:
            self.monitor.add({"rollout_seconds": 0.0})
            return -self.of_items(forward, inputs, targets[:, None]).sum((1, 2)).mean()
        with self.timed("rollout"):
            against = self._negatives(inputs, targets)
        items = torch.cat([targets[:, None], against], dim=1)
        with self.at_start():
            reference = self.of_items(forward, inputs, items).sum(-1)
        policy = self.of_items(forward, inputs, items).sum(-1)
        moved = self.settings.beta * (policy - reference)
        loss = preference_loss(moved, against >= 0, self.settings.margin).mean()
        ahead = (moved[:, :1] > moved[:, 1:]).float().mean()
        self.monitor.add({"preferred": ahead, "kl": k3(policy, reference)[items >= 0].mean()}, against)
        return loss - self.settings.likelihood * policy[:, 0].mean()

    def _negatives(self, inputs: dict[str, Any], targets: Tensor) -> Tensor:
        """Items that were not taken, ``(rows, negatives)`` int64, all distinct; -1 where there are fewer."""
        settings, rows = self.settings, len(targets)
        if settings.source == "own":
            drawing = RolloutSettings(group=max(settings.pool, settings.negatives + 1), method="beam")
            items = roll_out(self.model, self.distribution, inputs, targets, drawing).items
            chances = ((items >= 0) & (items != targets[:, None])).double()
        else:
            items = torch.arange(len(self.chances), device=targets.device).expand(rows, -1)
            chances = self.chances.to(targets.device).expand(rows, -1).clone()
            chances.scatter_(1, targets[:, None], 0)
        keys = torch.where(chances > 0, torch.rand_like(chances).log() / chances, -torch.inf)  # Efraimidis and Spirakis
        best, places = keys.topk(min(settings.negatives, keys.shape[1]), dim=1)
        return torch.where(best > -torch.inf, items.gather(1, places), -1)

    def state(self) -> dict[str, Tensor]:
        """See :meth:`Objective.state`."""
        kept = self.start.state("start.") if self.settings.alternate and self.start is not None else {}
        return {**super().state(), **kept, "taken": torch.tensor(self._taken)}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """See :meth:`Objective.load_state`."""
        super().load_state(tensors)
        self._taken = int(tensors["taken"])
        if self.settings.alternate and self.start is not None:
            self.start.load_state("start.", tensors)


def preference_loss(moved: Tensor, there: Tensor, margin: float = 0.0) -> Tensor:
    """``-log sigmoid(-log sum exp(moved of a negative - moved of the positive + margin))``, ``(rows,)``.

    Args:
        moved: ``(rows, 1 + n)`` how much log-probabilities have changed, times beta; the positive first.
        there: ``(rows, n)`` bool: which negatives there are.
        margin: See :class:`SDPOSettings`.
    """
    behind = (moved[:, 1:] - moved[:, :1] + margin).masked_fill(~there, _NEVER)
    found: Tensor = torch.nn.functional.softplus(behind.logsumexp(1))
    return found
