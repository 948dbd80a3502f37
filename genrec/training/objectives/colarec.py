"""ColaRec's terms: users, items and their groups ranked in pairs, and items written from their own texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from genrec.training.contrast import bpr, some
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import Alignment, AlignmentSettings

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel
    from genrec.models.outputs import CodeModelOutput
    from genrec.trie import Trie

objective = OBJECTIVES.add


class ColaRecSettings(AlignmentSettings):
    """Settings of ``colarec``."""

    ranking: float = Field(1.0, ge=0, description="weight of: what the user took before an item drawn at random")
    groups: float = Field(0.1, ge=0, description="weight of: an item nearer to one of its group than to a random one")
    indexing: float = Field(0.1, ge=0, description="weight of the likelihood of an item's codes given its text")
    prefix: int = Field(1, ge=1, description="codes that items of a group have in common")
    rows: int = Field(1024, ge=1, description="most targets of a batch that the terms are over")


@objective("colarec")
class ColaRec(Alignment):
    """Generation, indexing and two ranking losses at once (ColaRec, arXiv 2403.18480).

    Negatives are drawn uniformly from the catalogue.
    """

    Config = ColaRecSettings
    settings: ColaRecSettings
    needs: ClassVar[frozenset[str]] = frozenset({"states", "embed", "terms_from"})

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`."""
        super().prepare(model, index, config)
        self.groups = Groups(index.trie, self.settings.prefix)
        self.codes = torch.from_numpy(np.asarray(index.codes, dtype=np.int64))

    def helpers(self, model: CodeModel) -> nn.ModuleDict:
        """See :meth:`Alignment.helpers`: what maps a text to a state that its item is written from."""
        if not self.settings.indexing:
            return nn.ModuleDict()
        return nn.ModuleDict({"texts": nn.Linear(self.vectors.shape[1], model.state_dim)})

    def terms(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Alignment.terms`."""
        states, targets, settings = output.need("states"), output.need("targets"), self.settings
        chosen = some(len(states), settings.rows, states.device)
        states, targets = states[chosen], targets[chosen]
        items = self.items_of(targets)
        near, alone = self.groups.draw(items)
        random = torch.randint(len(self.codes), items.shape, device=items.device)
        taken, other, member = (self._embed(model, one) for one in (items, random, near))
        found = {"ranking": (settings.ranking, bpr(states, taken, other).mean())}
        there = ~alone & (random != items)
        apart = (bpr(taken, member, other) * there).sum() / there.sum().clamp_min(1)
        found["groups"] = (settings.groups, apart)
        if settings.indexing:
            both = torch.cat([items, random])
            terms = model.terms_from(model.helpers["texts"](self.texts_of(both)), self._codes(both))
            found["indexing"] = (settings.indexing, terms[0].mean())
        return found

    def _codes(self, items: Tensor) -> Tensor:
        self.codes = self.codes.to(items.device)
        return self.codes[items]

    def _embed(self, model: Any, items: Tensor) -> Tensor:
        """What the network reads of items, ``(n, dim)``."""
        embedded: Tensor = model.embed(self._codes(items)[:, None], self.texts_of(items)[:, None])[:, 0]
        return embedded


class Groups:
    """Items that begin with the same codes.

    Args:
        trie: Of the catalogue.
        prefix: How many codes; those that an item has beyond make no difference.
    """

    def __init__(self, trie: Trie, prefix: int) -> None:
        depth = min(prefix, trie.n_levels)
        borders = trie.leaf_starts(depth - 1)
        group = np.repeat(np.arange(len(borders) - 1), np.diff(borders))
        first, size = borders[:-1][group], np.diff(borders)[group]
        self.order = torch.from_numpy(np.asarray(trie.item, dtype=np.int64))
        place = np.empty(int(trie.item.max()) + 1, dtype=np.int64)
        place[trie.item] = np.arange(trie.n_items)
        self.place = torch.from_numpy(place)
        self.first, self.size = torch.from_numpy(first.astype(np.int64)), torch.from_numpy(size.astype(np.int64))

    def draw(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Another item of the group of each, at random, and which items have none (they get themselves).

        Args:
            items: ``(n,)`` int64 positions.
        """
        place = self.place.to(items.device)[items]
        first, size = self.first.to(items.device)[place], self.size.to(items.device)[place]
        others = (size - 1).clamp_min(1)
        steps = 1 + (torch.rand(len(items), device=items.device) * others).long().clamp_max(others - 1)
        drawn = first + (place - first + steps) % size
        return self.order.to(items.device)[drawn], size == 1
