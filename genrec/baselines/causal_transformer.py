"""A Transformer over items that predicts at every item, with attention by distance and causal frequency filters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.baselines.transformer import FrequencyBlock, low_pass_filter, start_small


class CausalTransformer(nn.Module):
    """Items to states: every state knows its item and older ones, so that every item of a history has a loss.

    Positions count from the oldest item that is read; attention also has a learned bias by distance. The filter of an
    item sees what came before it, as the last row of :func:`~genrec.baselines.transformer.low_pass_filter` does.

    Args:
        n_items: Size of the catalogue.
        length: Longest sequence; also the window of the filters.
        dim: Width.
        layers: Number of blocks.
        heads: Attention heads; must divide ``dim``.
        dropout: Of embeddings, attention, filters and every block's outputs.
        alpha: Share of the filters; attention has the rest.
        cutoff: ``cutoff // 2 + 1`` lowest frequencies of the window count as slow.
    """

    slow: Tensor

    def __init__(
        self,
        n_items: int,
        length: int,
        dim: int,
        layers: int,
        heads: int,
        dropout: float,
        *,
        alpha: float,
        cutoff: int,
    ) -> None:
        super().__init__()
        self.n_items, self.length = n_items, length
        self.table = nn.Parameter(torch.empty(n_items, dim))
        self.positions = nn.Parameter(torch.empty(length, dim))
        self.distances = nn.Parameter(torch.zeros(layers, heads, length))
        self.blocks = nn.ModuleList(FrequencyBlock(dim, heads, dropout, alpha) for _ in range(layers))
        self.drop, self.norm = nn.Dropout(dropout), nn.LayerNorm(dim)
        start_small(self, self.table, self.positions)
        # what the newest item of a window keeps of one at each distance
        self.register_buffer("slow", low_pass_filter(length, cutoff)[-1].flip(0), persistent=False)

    @property
    def items(self) -> Tensor:
        """Vectors of the items, ``(n_items, dim)``: input embeddings and output layer are one table."""
        return self.table

    def forward(self, items: Tensor) -> Tensor:
        """``(batch, length)`` int64 positions, -1 for padding on the right, to states ``(batch, length, dim)``."""
        place = torch.arange(items.shape[1], device=items.device)
        distance = place[:, None] - place
        later, distance = distance < 0, distance.clamp_min(0)
        low_pass = self.slow[distance].masked_fill(later, 0.0)
        x = F.embedding(items.clamp_min(0), self.table) + self.positions[: items.shape[1]]
        x = self.drop(self.norm(x))
        for block, by_distance in zip(self.blocks, self.distances, strict=True):
            mask = by_distance[:, distance].masked_fill(later, -torch.inf)  # (heads, length, length)
            x = block(x, mask.expand(len(items), -1, -1, -1), low_pass)
        return x

    def newest(self, items: Tensor) -> Tensor:
        """States of the newest items, ``(batch, dim)``; every row has at least one."""
        rows = torch.arange(len(items), device=items.device)
        return self(items)[rows, (items >= 0).sum(dim=1) - 1]  # type: ignore[no-any-return]
