"""Latent steps that go from the neighbours of the newest item to the next one: ManCAR's soft targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from genrec.config import LARGEST_WIDTH
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import AlignmentSettings
from genrec.training.objectives.stepwise import Stepwise, divergence, shares
from genrec.training.swing import swing_neighbours

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel
    from genrec.models.outputs import CodeModelOutput, TrainingBatches

objective = OBJECTIVES.add


class NeighbourStepsSettings(AlignmentSettings):
    """Settings of ``neighbour-steps``."""

    steps: float = Field(0.1, ge=0, description="weight of the divergence from soft targets, summed over steps")
    neighbours: int = Field(
        10, ge=1, le=LARGEST_WIDTH, description="items near the newest one, by what users took together"
    )
    alpha: float = Field(1.0, gt=0, description="how little pairs of users count who share much")


@objective("neighbour-steps")
class NeighbourSteps(Stepwise):
    """Every step is drawn to a distribution over the next item and the neighbours of the newest one.

    The distribution falls with the rank, the next item first, and the later the step the faster.
    """

    Config = NeighbourStepsSettings
    settings: NeighbourStepsSettings

    def batches(
        self, model: CodeModel, index: SemanticIndex, histories: Histories, config: TrainConfig
    ) -> TrainingBatches:
        """See :meth:`Objective.batches`; neighbours are those of the training part."""
        settings = self.settings
        near = swing_neighbours(
            histories, len(index.item_ids), settings.neighbours, alpha=settings.alpha, seed=config.seed
        )
        self.near = torch.from_numpy(near)
        self.codes = torch.from_numpy(np.asarray(index.codes, dtype=np.int64))
        return super().batches(model, index, histories, config)

    def over_steps(
        self, model: Any, steps: Tensor, output: CodeModelOutput, batch: dict[str, Any]
    ) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Stepwise.over_steps`."""
        right, rows, places = output.need("targets"), output.need("rows"), output.need("places")
        items = self.items_of(batch["codes"]).masked_fill(~batch["mask"], -1)
        newest = newest_before(items)[rows, places]
        near = self.near.to(right.device)[newest.clamp_min(0)].masked_fill((newest < 0)[:, None], -1)
        target = items[rows, places]
        near = near.masked_fill(near == target[:, None], -1)
        candidates = torch.cat([target[:, None], near], dim=1)
        codes = self.codes.to(right.device)[candidates.clamp_min(0)]
        wanted = soft_targets(candidates >= 0, len(steps))
        found = shares(model, steps, right)
        return {"neighbours": (self.settings.steps, path_divergence(wanted, codes, right, found).mean(1).sum())}


def newest_before(items: Tensor) -> Tensor:
    """The newest item before every column, ``(users, n)``; -1 where there is none.

    Args:
        items: ``(users, n)`` int64, -1 at padding on either side.
    """
    columns = torch.arange(items.shape[1], device=items.device)
    real = torch.where(items >= 0, columns, -1).cummax(1).values
    before = torch.cat([torch.full_like(real[:, :1], -1), real[:, :-1]], dim=1)
    return torch.where(before >= 0, items.gather(1, before.clamp_min(0)), -1)


def soft_targets(there: Tensor, steps: int) -> Tensor:
    """Shares of candidates at every step, ``softmax(-rank / (steps - step))``: ``(steps, n, candidates)``.

    Args:
        there: ``(n, candidates)`` bool, best first; the others have a share of nothing.
        steps: How many states there are; the last has the sharpest shares.
    """
    rank = (there.cumsum(1) - 1).float().masked_fill(~there, torch.inf)
    return torch.stack([(-rank / (steps - step)).softmax(-1) for step in range(steps)])


def path_divergence(wanted: Tensor, codes: Tensor, right: Tensor, found: list[Tensor]) -> Tensor:
    """Divergence of shares of items from those that a network gives to codes, along the right path, ``(steps, n)``.

    By the chain rule it is a sum over prefixes; the terms of the prefixes of the right item are taken, each as likely
    as the prefix is. It is 0 where the network's shares are the wanted ones.

    Args:
        wanted: ``(steps, n, candidates)`` shares of items.
        codes: ``(n, candidates, levels)`` int64 codes of the candidates.
        right: ``(n, levels)`` int64.
        found: Per level ``(steps, n, codebook_size)`` log-probabilities behind the right codes.
    """
    total = torch.zeros(wanted.shape[:2], device=wanted.device)
    alive = wanted
    for level, log_shares in enumerate(found):
        mass = alive.sum(-1)
        places = codes[None, :, :, level].expand(len(wanted), -1, -1)
        shared = torch.zeros_like(log_shares).scatter_add(2, places, alive.to(log_shares.dtype))
        shared = shared / mass[..., None].clamp_min(1e-12)
        total = total + mass * divergence(shared.log(), log_shares)
        alive = alive * (codes[None, :, :, level] == right[None, :, level, None])
    return total
