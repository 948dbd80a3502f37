"""GRPO on constrained roll-outs: items that the network recommends itself, made likelier or less likely by reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.base import Forward
from genrec.training.policy.examples import histories_of
from genrec.training.policy.frozen import FrozenWeights
from genrec.training.policy.post_training import PostTraining, PostTrainingSettings, exponential, k3
from genrec.training.policy.rewards import Offer, Rewards, RewardSettings
from genrec.training.policy.rollouts import Rollouts, RolloutSettings, roll_out

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel
    from genrec.models.outputs import TrainingBatches

objective = OBJECTIVES.add

Advantage = Literal["leave-one-out", "group", "rank", "none"]


class GRPOSettings(PostTrainingSettings):
    """Settings of ``grpo``."""

    rewards: tuple[RewardSettings, ...] = Field((RewardSettings(),), description="terms of the reward")
    rollouts: RolloutSettings = Field(RolloutSettings(), description="how groups are drawn")
    advantage: Advantage = Field(
        "leave-one-out", description="what a reward is compared with: the others, mean and spread, ranks, nothing"
    )
    ratio: Literal["token", "sequence"] = Field("token", description="clip the change of a code, or of an item")
    clip: float = Field(0.2, gt=0, description="largest change of a probability that is rewarded, as a share")
    clip_high: float | None = Field(None, gt=0, description="the same upwards; None: as clip")
    kl: float = Field(0.01, ge=0, description="weight of the divergence from the start")
    refresh: int = Field(1, ge=1, description="steps for which roll-outs come from the same weights")

    @model_validator(mode="after")
    def _whole(self) -> GRPOSettings:
        if self.rollouts.method == "beam" and self.advantage == "none":
            raise ValueError("advantage none makes every beam likelier: choose leave-one-out, group or rank")
        return self


@objective("grpo")
class GRPO(PostTraining):
    """Group-relative policy optimisation (DeepSeekMath, arXiv 2402.03300) over items of the catalogue.

    All codes of a path count, so that with one refresh a step the gradient is that of the expected reward: exactly so
    on average for Gumbel roll-outs with importance weights and the advantages ``leave-one-out`` or ``none``.
    """

    Config = GRPOSettings
    settings: GRPOSettings
    behaviour: FrozenWeights | None = None

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`."""
        super().prepare(model, index, config)
        self._fresh = 0
        if self.settings.refresh > 1:
            self.behaviour = FrozenWeights(model)

    def batches(
        self, model: CodeModel, index: SemanticIndex, histories: Histories, config: TrainConfig
    ) -> TrainingBatches:
        """See :meth:`Objective.batches`; rewards are made of the training part."""
        self.rewards = Rewards(self.settings.rewards, index, histories)
        return super().batches(model, index, histories, config)

    def begin_step(self, step: int) -> None:
        """See :meth:`Objective.begin_step`: roll-outs take the weights of today every so many steps."""
        if self.behaviour is not None and step % self.settings.refresh == 0 and step != self._fresh:
            self._fresh = step
            self.behaviour = FrozenWeights(self.model)

    def learn(self, forward: Forward, batch: dict[str, Any]) -> Tensor:
        """See :meth:`PostTraining.learn`."""
        inputs, targets = batch["inputs"], batch["targets"]
        drawn, old = self._drawn(forward, inputs, targets)
        settings = self.settings
        with_target = torch.cat([drawn.items, targets[:, None]], dim=1) if settings.likelihood else drawn.items
        reference = None
        if settings.kl:
            with self.at_start():
                reference = self.of_items(forward, inputs, drawn.items)
        everything = self.of_items(forward, inputs, with_target)
        policy = everything[:, : drawn.items.shape[1]]
        old = policy.detach() if old is None else old
        offer = Offer(drawn.items, targets, histories_of(batch["history"]), old.sum(-1))
        reward, terms = self.rewards(offer)
        weights = drawn.weights(old.sum(-1))
        advantage = advantages(reward, weights, drawn, old.sum(-1), settings.advantage)
        low, high = 1 - settings.clip, 1 + (settings.clip_high or settings.clip)
        loss = -(weights * clipped(policy, old, advantage, low, high, settings.ratio)).sum(1).mean()
        figures = _figures(reward, terms, drawn)
        if reference is not None:
            divergence = (weights * k3(policy, reference).sum(-1)).sum(1).mean()
            figures["kl"] = divergence
            loss = loss + settings.kl * divergence
        if settings.likelihood:
            loss = loss - settings.likelihood * everything[:, -1].sum(-1).mean()
        self.monitor.add(figures, drawn.items)
        return loss

    def _drawn(self, forward: Forward, inputs: dict[str, Any], targets: Tensor) -> tuple[Rollouts, Tensor | None]:
        """Roll-outs, and the log-probabilities of their codes where they come from earlier weights."""
        with self.timed("rollout"):
            if self.behaviour is None:
                return roll_out(self.model, self.distribution, inputs, targets, self.settings.rollouts), None
            with self.behaviour.inside(self.model), torch.no_grad():
                drawn = roll_out(self.model, self.distribution, inputs, targets, self.settings.rollouts)
                return drawn, self.of_items(forward, inputs, drawn.items)

    def state(self) -> dict[str, Tensor]:
        """See :meth:`Objective.state`."""
        kept = {} if self.behaviour is None else self.behaviour.state("behaviour.")
        return {**super().state(), **kept, "fresh": torch.tensor(self._fresh)}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """See :meth:`Objective.load_state`."""
        super().load_state(tensors)
        self._fresh = int(tensors["fresh"])
        if self.behaviour is not None:
            self.behaviour.load_state("behaviour.", tensors)


def advantages(reward: Tensor, weights: Tensor, drawn: Rollouts, log_probabilities: Tensor, kind: Advantage) -> Tensor:
    """What every member of a group is better by, ``(rows, n)``; 0 for those that are not there.

    Args:
        reward: ``(rows, n)``.
        weights: ``(rows, n)`` of :meth:`Rollouts.weights`.
        drawn: The group.
        log_probabilities: ``(rows, n)`` of its items.
        kind: ``leave-one-out``: than the others expect. Of Gumbel roll-outs that is their weighted sum, and the item
            itself by its probability, which leaves the gradient right on average. ``group``: than the mean, in standard
            deviations. ``rank``: by the rank of rewards, between -1/2 and 1/2. ``none``: the reward.
    """
    present = drawn.items >= 0
    count = present.sum(1, keepdim=True)
    if kind == "none":
        return reward * present
    if kind == "rank":
        below = (reward[:, None, :] < reward[:, :, None]) & present[:, None, :]
        same = (reward[:, None, :] == reward[:, :, None]) & present[:, None, :]
        return ((below.sum(2) + same.sum(2) / 2) / count.clamp_min(1) - 0.5) * present
    if kind == "leave-one-out" and drawn.threshold is not None:
        expected = (weights * reward).sum(1, keepdim=True) - weights * reward + log_probabilities.exp() * reward
        return (reward - expected) * present
    share = weights / weights.sum(1, keepdim=True).clamp_min(1e-12)
    mean = (share * reward).sum(1, keepdim=True)
    if kind == "leave-one-out":
        return (reward - mean) * (count / (count - 1).clamp_min(1)) * present
    spread = (share * (reward - mean) ** 2).sum(1, keepdim=True).sqrt()
    return (reward - mean) / (spread + 1e-4) * present


def clipped(policy: Tensor, old: Tensor, advantage: Tensor, low: float, high: float, ratio: str) -> Tensor:
    """PPO's clipped gain of every item, ``(rows, n)``.

    Args:
        policy: ``(rows, n, levels)`` log-probabilities of codes, with gradients.
        old: The same when the items were drawn.
        advantage: ``(rows, n)``.
        low: Smallest ratio that is rewarded.
        high: Largest.
        ratio: ``token``: of every code, summed over the levels; ``sequence``: of the item.
    """
    change = policy - old if ratio == "token" else (policy - old).sum(-1, keepdim=True)
    ratios, gain = exponential(change), advantage[..., None]
    found: Tensor = torch.minimum(ratios * gain, ratios.clamp(low, high) * gain).sum(-1)
    return found


def _figures(reward: Tensor, terms: Mapping[str, Tensor], drawn: Rollouts) -> dict[str, Tensor]:
    """Means over a batch: rewards, groups whose members are all worth the same, distinct items of a group."""
    present = drawn.items >= 0
    count = present.sum(1).clamp_min(1)
    best = reward.masked_fill(~present, -torch.inf).amax(1)
    flat = best == reward.masked_fill(~present, torch.inf).amin(1)
    ordered = drawn.items.sort(1).values
    distinct = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1) - (ordered[:, 0] < 0).long()
    found = {"reward": (reward.sum(1) / count).mean(), "groups_without_gradient": flat.float().mean()}
    found |= {f"reward_{name}": (term.sum(1) / count).mean() for name, term in terms.items()}
    return found | {"distinct": distinct.float().mean()}
