"""The Transformer over item sequences that SASRec and BERT4Rec share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Block(nn.Module):
    """Self-attention and a feed-forward network, each with layer normalisation before and dropout after it."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_qkv, self.to_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, dim = x.shape
        qkv = self.to_qkv(self.attention_norm(x)).view(batch, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, length, dim / heads) each
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=mask is None,
        )
        x = x + self.drop(self.to_out(attended.transpose(1, 2).reshape(batch, length, dim)))
        return x + self.drop(self.feed(self.feed_norm(x)))


class ItemTransformer(nn.Module):
    """Items to states: learned positions, pre-normalised blocks, a last normalisation.

    Positions count from the oldest item that is read. Sequences are padded on the right.

    Args:
        n_items: Size of the catalogue; position ``n_items`` is the token for a masked item.
        length: Longest sequence.
        dim: Width.
        layers: Number of blocks.
        heads: Attention heads; must divide ``dim``.
        dropout: Of embeddings, attention and every block's outputs.
        causal: Every item sees itself and older ones; otherwise all.
    """

    def __init__(
        self, n_items: int, length: int, dim: int, layers: int, heads: int, dropout: float, *, causal: bool
    ) -> None:
        super().__init__()
        self.n_items, self.causal = n_items, causal
        self.table = nn.Parameter(torch.empty(n_items + (0 if causal else 1), dim))
        self.positions = nn.Parameter(torch.empty(length, dim))
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout) for _ in range(layers))
        self.drop, self.norm = nn.Dropout(dropout), nn.LayerNorm(dim)
        for parameter in (self.table, self.positions):
            nn.init.normal_(parameter, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    @property
    def items(self) -> Tensor:
        """Vectors of the real items, ``(n_items, dim)``: input embeddings and output layer are one table."""
        return self.table[: self.n_items]

    def forward(self, items: Tensor) -> Tensor:
        """``(batch, length)`` int64 positions in the catalogue, -1 for padding, to states ``(batch, length, dim)``."""
        x = F.embedding(items.clamp_min(0), self.table) + self.positions[: items.shape[1]]
        mask = None if self.causal else (items >= 0)[:, None, None, :]
        x = self.drop(x)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)
