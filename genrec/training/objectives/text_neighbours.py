"""Contrastive pairs whose positives are users and items with the nearest texts: SRA-CL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from genrec.config import LARGEST_WIDTH
from genrec.models.parts import mean_before
from genrec.training.contrast import info_nce, some
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import Alignment, AlignmentSettings

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel
    from genrec.models.outputs import CodeModelOutput

objective = OBJECTIVES.add


class TextNeighboursSettings(AlignmentSettings):
    """Settings of ``text-neighbours``."""

    users: float = Field(0.1, ge=0, description="weight of the term over users with near texts")
    items: float = Field(0.1, ge=0, description="weight of the term over items with near texts")
    neighbours: int = Field(5, ge=1, le=LARGEST_WIDTH, description="nearest texts that a positive is made of")
    temperature: float = Field(0.2, gt=0, description="divisor of similarities in the softmax over the batch")
    sharpness: float = Field(0.1, gt=0, description="temperature of the weights of the neighbours, by their texts")
    rows: int = Field(1024, ge=2, description="most targets of a batch that are compared with each other")


@objective("text-neighbours")
class TextNeighbours(Alignment):
    """Semantic retrieval in the place of random augmentation (SRA-CL, arXiv 2503.04162).

    A user's positive is the weighted mean of the states of the users of the batch whose histories read most alike; an
    item's is that of the items of the catalogue with the nearest texts.
    """

    Config = TextNeighboursSettings
    settings: TextNeighboursSettings
    needs: ClassVar[frozenset[str]] = frozenset({"states", "embed"})

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`."""
        super().prepare(model, index, config)
        self.codes = torch.from_numpy(np.asarray(index.codes, dtype=np.int64))
        self.near, self.weights = nearest(self.vectors, self.settings.neighbours, self.settings.sharpness)

    def terms(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Alignment.terms`."""
        states = output.need("states")
        chosen = some(len(states), self.settings.rows, states.device)
        chosen = chosen[output.need("places")[chosen] > 0]
        found = {}
        if self.settings.users:
            rows = output.need("rows")[chosen]
            texts = self.texts_of(self.items_of(batch["codes"])) * batch["mask"][..., None]
            profiles = mean_before(texts, batch["mask"])[rows, output.need("places")[chosen]]
            term = self._users(states[chosen], profiles, rows)
            found["near_users"] = (self.settings.users, term)
        if self.settings.items:
            found["near_items"] = (self.settings.items, self._items(model, output.need("targets")[chosen]))
        return found

    def _users(self, states: Tensor, profiles: Tensor, rows: Tensor) -> Tensor:
        """States against those of the users that read most alike, never their own at another time."""
        if len(torch.unique(rows)) < 2:
            return states.sum() * 0
        unit = F.normalize(profiles, dim=-1)
        alike = (unit @ unit.T).masked_fill(rows[:, None] == rows[None], -torch.inf)
        best, places = alike.topk(min(self.settings.neighbours, len(rows) - 1), dim=1)
        weights = (best / self.settings.sharpness).softmax(-1)
        positives = (weights[..., None] * states[places]).sum(1)
        return info_nce(states, positives, self.settings.temperature, same=rows)

    def _items(self, model: Any, targets: Tensor) -> Tensor:
        """What the network reads of items against the same of the items with the nearest texts."""
        items = torch.unique(self.items_of(targets))
        self.near, self.weights = self.near.to(items.device), self.weights.to(items.device)
        near = self._embed(model, self.near[items])
        positives = (self.weights[items][..., None] * near).sum(1)
        own = self._embed(model, items[:, None])[:, 0]
        return info_nce(own, positives, self.settings.temperature)

    def _embed(self, model: Any, items: Tensor) -> Tensor:
        self.codes = self.codes.to(items.device)
        embedded: Tensor = model.embed(self.codes[items], self.texts_of(items))
        return embedded


def nearest(vectors: Tensor, k: int, sharpness: float, *, block: int = 1024) -> tuple[Tensor, Tensor]:
    """The nearest other items of every item by cosine, and their weights, each ``(n, min(k, n - 1))``.

    Args:
        vectors: ``(n, dim)``.
        k: How many.
        sharpness: Temperature of the softmax that makes weights of cosines.
        block: Items that are compared with all at once.
    """
    unit = F.normalize(vectors, dim=-1)
    found = []
    for start in range(0, len(unit), block):
        scores = unit[start : start + block] @ unit.T
        scores[torch.arange(len(scores)), torch.arange(start, start + len(scores))] = -torch.inf
        found.append(scores.topk(min(k, len(unit) - 1), dim=1))
    best = torch.cat([one.values for one in found])
    return torch.cat([one.indices for one in found]), (best / sharpness).softmax(-1)
