"""Groups of items that a network recommends itself, one group a history: what post-training rewards."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from genrec.config import LARGEST_WIDTH, Settings
from genrec.decoding import draws
from genrec.decoding.beam import beam_search
from genrec.models.base import CodeModel
from genrec.training.policy.distribution import Inputs, ItemDistribution


class RolloutSettings(Settings):
    """How a group is drawn.

    ``beam`` takes the most probable items, so it never sees others. ``gumbel`` draws without replacement and knows with
    what probability every item is among the drawn, so that weighted sums over the group are right on average.
    ``sample`` draws independently; items may repeat.
    """

    group: int = Field(16, ge=2, le=LARGEST_WIDTH, description="items a history")
    method: Literal["beam", "gumbel", "sample"] = Field("gumbel", description="how they are drawn")
    importance: bool = Field(True, description="gumbel: weigh items by their probability over that of being drawn")
    include_target: bool = Field(False, description="the item that the user took is always a member")

    @property
    def weighted(self) -> bool:
        """Whether items are weighed by how they were drawn."""
        return self.method == "gumbel" and self.importance


class Rollouts(NamedTuple):
    """Groups of items.

    Attributes:
        items: ``(rows, n)`` int64 positions, -1 where there is none.
        certain: ``(rows, n)`` bool: members in any case, whatever was drawn.
        threshold: ``(rows, 1)`` perturbed log-probability that an item had to exceed; -inf where all are drawn. None:
            every member counts the same.
    """

    items: Tensor
    certain: Tensor
    threshold: Tensor | None = None

    def weights(self, log_probabilities: Tensor) -> Tensor:
        """What members count in a sum that stands for an expectation, ``(rows, n)``; 0 for those that are not there.

        Args:
            log_probabilities: ``(rows, n)`` of the items, as they were when these were drawn.
        """
        present = self.items >= 0
        if self.threshold is None:
            return present / present.sum(1, keepdim=True).clamp_min(1)
        above = log_probabilities - self.threshold
        # the probability that Gumbel noise lifts an item over the threshold, 1 - exp(-exp(above))
        log_drawn = torch.where(above < -10, above, (-torch.expm1(-above.clamp_min(-10).exp())).log())
        weights = (log_probabilities - log_drawn.masked_fill(self.certain, 0)).exp()
        return weights.masked_fill(~present, 0)


def roll_out(
    model: CodeModel, distribution: ItemDistribution, inputs: Inputs, targets: Tensor, settings: RolloutSettings
) -> Rollouts:
    """Draw a group for every history, without gradients.

    Args:
        model: The network, without anything around it.
        distribution: Of it.
        inputs: Of ``rows`` histories.
        targets: ``(rows,)`` int64: what users took.
        settings: How.
    """
    n = settings.group + (1 if settings.method == "gumbel" else 0)
    with model.decoding(), torch.no_grad():
        found = _draw(model, distribution, inputs, len(targets), n, settings.method)
    items, keys = found.items.clone(), found.keys.clone()  # no longer tensors of inference
    threshold = None
    if settings.method == "gumbel":
        items, threshold = _without_last(items, keys, targets if settings.include_target else None)
        threshold = threshold if settings.weighted else None
    elif settings.include_target:
        items = _others_first(items, targets)[:, : settings.group - 1]
    certain = torch.zeros_like(items, dtype=torch.bool)
    if settings.include_target:
        items = torch.cat([targets[:, None], items], dim=1)
        certain = torch.cat([torch.ones_like(certain[:, :1]), certain], dim=1)
    return Rollouts(items, certain, threshold)


def _draw(
    model: CodeModel, distribution: ItemDistribution, inputs: Inputs, rows: int, n: int, method: str
) -> draws.Draws:
    if distribution.at_once:
        scores = distribution.of_all(model, inputs)
        if method == "beam":
            best, items = scores.topk(min(n, scores.shape[1]), dim=1)
            return draws.Draws(items, best, best)
        return draws.of_scores(scores, n, replacement=method == "sample")
    state = model.prefill(**inputs)
    trie = distribution.trie(next(iter(inputs.values())).device)
    if method == "beam":
        items, best = beam_search(model, state, trie, rows, beams=n, normalize="children")
        return draws.Draws(items, best, best)
    draw = draws.independent if method == "sample" else draws.without_replacement
    return draw(model, state, trie, rows, n)


def _without_last(items: Tensor, keys: Tensor, apart: Tensor | None) -> tuple[Tensor, Tensor]:
    """All but the last item, and the last one's perturbed score, which the others have exceeded.

    An item ``apart`` is a member in any case: it takes no part among the others, of which one fewer is wanted.
    """
    if apart is not None:
        there = (items == apart[:, None]).long()
        order = there.argsort(dim=1, stable=True)  # the one apart goes last; of the others, the last sets the threshold
        items, keys = items.gather(1, order)[:, :-1], keys.gather(1, order)[:, :-1]
    return items[:, :-1], keys[:, -1:]


def _others_first(items: Tensor, targets: Tensor) -> Tensor:
    order = (items == targets[:, None]).long().argsort(dim=1, stable=True)
    return items.gather(1, order)
