"""Items as sets of vectors without an order, all generated at once: SETRec (https://arxiv.org/abs/2502.10833).

An item is one vector of who buys it and several of what it is. A history is read with attention from every vector to
itself and to the vectors of earlier items, at one position an item, so that nothing depends on the order inside an
item. Learned queries, one a vector, then read the history without seeing each other, and the score of an item is the
sum of what they have in common with its vectors: exact over the whole catalogue, without a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import Width
from genrec.data.histories import Histories
from genrec.models.beam_tree import additive, positions
from genrec.models.config import Share, Some, Weight
from genrec.models.item_scorer import ItemScorer, ItemScorerConfig
from genrec.models.legal_codes import code_terms
from genrec.models.parts import build_backbone
from genrec.models.registry import network
from genrec.models.settings import RunSettings
from genrec.models.vector_decoder.pairs import pair_vectors

_WIDTHS = (512, 256, 128)


class SETRecConfig(ItemScorerConfig):
    """Configuration of :class:`SETRec`.

    Attributes:
        semantic_tokens: Vectors of what an item is, beside the one of who buys it.
        reconstruction: Weight of the error with which texts are made from these vectors again.
        semantic_share: What these vectors count in a score together; the vector of who buys it counts the rest.
        pair_dim: Length of the frozen vectors of what is bought together.
        window: Longest distance of two items that count as bought together.
    """

    model_type = "genrec-setrec"

    semantic_tokens: Width = 4
    reconstruction: Weight = 0.7
    semantic_share: Share = 0.5
    pair_dim: Width = 256
    window: Some = 10


@network("setrec")
class SETRec(ItemScorer):
    """A causal network over sets of vectors; a query for every vector of the next item."""

    config_class = SETRecConfig
    config: SETRecConfig

    def __init__(self, config: SETRecConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config.backbone, config.dropout)
        dim = self.backbone.config.hidden_size
        self.collaborative = nn.Linear(config.pair_dim, dim, bias=False)
        self.encoder = _layers(config.vector_dim, *_WIDTHS, config.semantic_tokens * dim)
        self.decoder = _layers(config.semantic_tokens * dim, *_WIDTHS[::-1], config.vector_dim)
        self.queries = nn.Parameter(torch.randn(1 + config.semantic_tokens, dim) * 0.02)
        self.pairs: Tensor
        self.register_buffer("pairs", torch.zeros(config.n_items, config.pair_dim))
        self.post_init()

    @torch.no_grad()
    def learns_from(self, histories: Histories, seed: int) -> None:
        """Take vectors of what is bought together."""
        settings = self.config.n_items, self.config.pair_dim, self.config.window
        self.pairs.copy_(torch.from_numpy(pair_vectors(histories, *settings, seed=seed)))

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; it has no code tables."""
        return super().settings_read(config) - {"model.init_from_codebooks"}

    def table(self) -> Tensor:
        """The sets, ``(1 + semantic_tokens, n_items, dim)``, that of who buys an item first."""
        pairs = F.pad(self.pairs, (0, 0, 0, len(self.vectors) - len(self.pairs)))
        semantic = self.encoder(self.vectors).unflatten(1, (self.config.semantic_tokens, -1)).transpose(0, 1)
        return torch.cat([self.collaborative(pairs)[None], semantic])

    def shares(self, heads: int) -> Sequence[float]:
        """See :meth:`ItemScorer.shares`."""
        share = self.config.semantic_share
        return [1 - share, *[share] * self.config.semantic_tokens]

    def states(self, items: Tensor, mask: Tensor, table: Tensor) -> Tensor:
        """See :meth:`ItemScorer.states`: what the queries for the item after so many have read."""
        places = torch.cat([torch.zeros_like(items[:, :1]), mask.long().cumsum(1)], dim=1)
        return self.read(table[:, items].permute(1, 2, 0, 3), mask, places)

    def newest(self, items: Tensor, mask: Tensor, table: Tensor) -> Tensor:
        """See :meth:`ItemScorer.newest`."""
        return self.read(table[:, items].permute(1, 2, 0, 3), mask, mask.sum(1, keepdim=True))[:, 0]

    def read(self, sets: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Queries for items at some places of histories, ``(users, n, 1 + semantic_tokens, dim)``.

        Args:
            sets: ``(users, items, 1 + semantic_tokens, dim)`` in any order inside an item.
            mask: ``(users, items)`` bool, False at padding on either side.
            places: ``(users, n)`` int64, how many items are before the one that is asked for.
        """
        size = sets.shape[2]
        place = torch.cat([positions(mask), places], dim=1).repeat_interleave(size, dim=1)
        real = torch.cat([mask, torch.zeros_like(places, dtype=torch.bool)], dim=1).repeat_interleave(size, dim=1)
        queries = self.queries.expand(*places.shape, -1, -1)
        vectors = torch.cat([sets, queries], dim=1).flatten(1, 2)
        output: Any = self.backbone(
            inputs_embeds=F.dropout(vectors, self.config.dropout, self.training),
            attention_mask=additive(set_mask(place, real), self.backbone.dtype),
            position_ids=place,
            use_cache=False,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden[:, sets.shape[1] * size :].unflatten(1, (places.shape[1], size))

    def terms(self, states: Tensor, table: Tensor, right: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """A softmax over items at every query, and their mean."""
        parts = [
            code_terms(states[:, head] @ rows.T, right, None, smoothing) for head, rows in enumerate(table.unbind())
        ]
        loss, likelihood = zip(*parts, strict=True)
        return torch.stack(loss).mean(0), torch.stack(likelihood).mean(0)

    def auxiliary(self, found: Tensor) -> Tensor:
        """See :meth:`ItemScorer.auxiliary`: the error of the texts that are made again."""
        texts = self.vectors[found]
        error = (self.decoder(self.encoder(texts)) - texts).square().sum(1).mean()
        return self.config.reconstruction * error


def set_mask(place: Tensor, real: Tensor) -> Tensor:
    """Every vector sees itself and the vectors of earlier items, ``(users, n, n)`` bool.

    Args:
        place: ``(users, n)`` int64 place of the item that a vector belongs to.
        real: ``(users, n)`` bool, False at padding and at queries, which nobody sees.
    """
    earlier = place[:, None, :] < place[:, :, None]
    return (earlier & real[:, None, :]) | torch.eye(place.shape[1], dtype=torch.bool, device=place.device)


def _layers(*widths: int) -> nn.Sequential:
    layers = [part for one, other in pairwise(widths) for part in (nn.Linear(one, other), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
