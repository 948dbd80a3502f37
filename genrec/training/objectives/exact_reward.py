"""The expected reward itself, differentiated through the trie: no item is drawn where all can be weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from genrec.errors import ConfigError
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.base import Forward
from genrec.training.policy.examples import histories_of
from genrec.training.policy.post_training import PostTraining, PostTrainingSettings
from genrec.training.policy.rewards import Offer, Rewards, RewardSettings
from genrec.training.policy.rollouts import RolloutSettings, roll_out

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel
    from genrec.models.outputs import TrainingBatches

objective = OBJECTIVES.add

Way = Literal["auto", "items", "path", "candidates"]


class ExactRewardSettings(PostTrainingSettings):
    """Settings of ``exact-reward``."""

    rewards: tuple[RewardSettings, ...] = Field((RewardSettings(),), description="terms of the reward")
    way: Way = Field("auto", description="items: all of them; path: that of the right one; candidates: some; auto")
    scale: Literal["reward", "log"] = Field("reward", description="make the expected reward larger, or its logarithm")
    kl: float = Field(0.01, ge=0, description="weight of the divergence from the start")
    most_nodes: int = Field(2000, ge=1, description="auto: inner nodes of a catalogue that is walked whole")
    candidates: int = Field(64, ge=2, description="candidates: items that are drawn, without replacement")


@objective("exact-reward")
class ExactReward(PostTraining):
    """The sum over items of probability times reward, exactly, in one of three ways.

    ``items``: every item's probability, by walking the trie or from slots. ``path``: where only the right item and
    codes in common with it count, the expectation is a sum along one path, whatever the size of the catalogue.
    ``candidates``: Gumbel draws with importance weights, and the right item always; right on average.

    With ``scale: log`` the logarithm is made larger: hits alone are then the likelihood. Rewards must be positive.
    """

    Config = ExactRewardSettings
    settings: ExactRewardSettings

    def batches(
        self, model: CodeModel, index: SemanticIndex, histories: Histories, config: TrainConfig
    ) -> TrainingBatches:
        """See :meth:`Objective.batches`; rewards are made of the training part.

        Raises:
            ConfigError: The way does not fit the rewards.
        """
        self.rewards = Rewards(self.settings.rewards, index, histories)
        self.way = self._way()
        by_path = self.rewards.by_level is not None and not self.distribution.at_once
        if self.way == "path" and not by_path:
            raise ConfigError(
                "The expectation is not known from one path.",
                where="objective.way",
                expected="rewards hit and prefix alone, and a network that writes codes",
                hint="Choose items or candidates.",
            )
        if self.rewards.grouped:
            raise ConfigError(
                "The rewards 'rank' and 'diversity' compare the members of a group; here there is none.",
                where="objective.rewards",
                hint="Use them with objective.name=grpo.",
            )
        self._everything = torch.arange(len(index.item_ids))
        return super().batches(model, index, histories, config)

    def _way(self) -> Way:
        if self.settings.way != "auto":
            return self.settings.way
        if self.rewards.by_level is not None and not self.distribution.at_once:
            return "path"
        return "items" if self.distribution.inner_nodes <= self.settings.most_nodes else "candidates"

    def learn(self, forward: Forward, batch: dict[str, Any]) -> Tensor:
        """See :meth:`PostTraining.learn`."""
        ways = {"items": self._over_items, "path": self._along_path, "candidates": self._over_candidates}
        expected, divergence, target = ways[self.way](forward, batch)
        self.monitor.add({"reward": expected.mean(), "kl": divergence.mean()})
        gain = expected
        if self.settings.scale == "log":
            if bool((expected <= 0).any()):
                what = "An expected reward is not positive, so it has no logarithm."
                raise ConfigError(what, where="objective.scale", hint="Use scale: reward.")
            gain = expected.log()
        loss = self.settings.kl * divergence - gain - self.settings.likelihood * target
        return loss.mean()

    def _over_items(self, forward: Forward, batch: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        inputs, targets = batch["inputs"], batch["targets"]
        reference = None
        if self.start is not None:
            with self.at_start():
                reference = self.ask(forward, inputs, self.distribution.of_all)
        policy = self.ask(forward, inputs, self.distribution.of_all)
        reward = self._rewards(batch, self._everything.to(targets.device).expand(len(targets), -1), policy)
        share = policy.exp()
        divergence = torch.zeros_like(share[:, 0]) if reference is None else (share * (policy - reference)).sum(1)
        return (share * reward).sum(1), divergence, policy.gather(1, targets[:, None])[:, 0]

    def _along_path(self, forward: Forward, batch: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        inputs, targets = batch["inputs"], batch["targets"][:, None]
        reference = None
        if self.start is not None:
            with self.at_start():
                reference = self._children(forward, inputs, targets)
        children = self._children(forward, inputs, targets)
        policy = self._of_children(children, targets)
        by_level: Any = self.rewards.by_level
        reached = policy.cumsum(1).exp()  # the probability of sharing so many codes
        divergence = torch.zeros_like(reached[:, 0])
        if reference is not None:
            gaps = (children - reference).masked_fill(children == -torch.inf, 0)
            before = torch.cat([torch.ones_like(reached[:, :1]), reached[:, :-1]], dim=1).detach()
            divergence = (before * (children.exp() * gaps).sum(2)).sum(1)
        return (reached * by_level.to(reached)).sum(1), divergence, policy.sum(1)

    def _children(self, forward: Forward, inputs: dict[str, Any], targets: Tensor) -> Tensor:
        """Log-probabilities of all children on the way to one item, ``(rows, levels, branching)``, -inf for none."""

        def question(model: Any, given: dict[str, Any]) -> Tensor:
            levels = [part[:, 0] for part in self.distribution.along(model, given, targets)]
            width = max(part.shape[1] for part in levels)
            padded = [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=-torch.inf) for part in levels]
            return torch.stack(padded, dim=1)

        return self.ask(forward, inputs, question)

    def _of_children(self, children: Tensor, targets: Tensor) -> Tensor:
        """Log-probabilities of the codes of the right items, ``(rows, levels)``."""
        trie = self.distribution.trie(targets.device)
        path = trie.paths(targets[:, 0])
        above = torch.cat([torch.zeros_like(path[:, :1]), path[:, :-1]], dim=1)
        places = [path[:, level] - starts.long()[above[:, level]] for level, starts in enumerate(trie.starts)]
        return children.gather(2, torch.stack(places, dim=1)[..., None])[..., 0]

    def _over_candidates(self, forward: Forward, batch: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        inputs, targets = batch["inputs"], batch["targets"]
        drawing = RolloutSettings(group=self.settings.candidates, include_target=True)
        with self.timed("rollout"):
            drawn = roll_out(self.model, self.distribution, inputs, targets, drawing)
        reference = None
        if self.start is not None:
            with self.at_start():
                reference = self.of_items(forward, inputs, drawn.items).sum(-1)
        policy = self.of_items(forward, inputs, drawn.items).sum(-1)
        self.monitor.add({}, drawn.items)
        reward = self._rewards(batch, drawn.items, policy)
        # weights stand for p / q; their gradient is that of p
        weights = drawn.weights(policy.detach()) * (policy - policy.detach()).exp()
        weights = weights.masked_fill(drawn.items < 0, 0)
        divergence = torch.zeros_like(weights[:, 0]) if reference is None else (weights * (policy - reference)).sum(1)
        return (weights * reward).sum(1), divergence, policy[:, 0]

    def _rewards(self, batch: dict[str, Any], items: Tensor, policy: Tensor) -> Tensor:
        offer = Offer(items, batch["targets"], histories_of(batch["history"]), policy.detach())
        reward, terms = self.rewards(offer)
        share = policy.detach().exp()
        if self.way == "items":
            self.monitor.add({f"reward_{name}": (share * term).sum(1).mean() for name, term in terms.items()})
        return reward
