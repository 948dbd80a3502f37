"""Transformers over item sequences: the one that SASRec and BERT4Rec share, and one with frequency filters."""

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
        start_small(self, self.table, self.positions)

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

    def newest(self, items: Tensor) -> Tensor:
        """States of the newest items, ``(batch, dim)``; every row has at least one."""
        rows = torch.arange(len(items), device=items.device)
        return self(items)[rows, (items >= 0).sum(dim=1) - 1]  # type: ignore[no-any-return]


class FrequencyBlock(nn.Module):
    """Attention and a frequency filter side by side, then a feed-forward network; normalisation after each."""

    def __init__(self, dim: int, heads: int, dropout: float, alpha: float) -> None:
        super().__init__()
        self.heads, self.dropout, self.alpha = heads, dropout, alpha
        self.attention_norm, self.feed_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_qkv, self.to_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.drop = nn.Dropout(dropout)
        self.filter_norm = nn.LayerNorm(dim)
        self.fast = nn.Parameter(torch.randn(dim))  # its square is the factor of fast changes

    def forward(self, x: Tensor, mask: Tensor, low_pass: Tensor) -> Tensor:
        """States ``(batch, length, dim)`` after the block, from a mask and a filter ``(…, length, length)``."""
        batch, length, dim = x.shape
        query, key, value = (
            self.to_qkv(x).view(batch, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        )  # (batch, heads, length, dim / heads) each
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        attended = self.attention_norm(x + self.drop(self.to_out(attended.transpose(1, 2).reshape(batch, length, dim))))
        if self.alpha:
            slow = low_pass @ x
            filtered = self.filter_norm(x + self.drop(slow + self.fast**2 * (x - slow)))
            attended = self.alpha * filtered + (1 - self.alpha) * attended
        return self.feed_norm(attended + self.drop(self.feed(attended)))


class FrequencyTransformer(nn.Module):
    """Items to states, with filters over the whole history; positions count from the newest item that is read.

    Because of the filters a state knows later items, too: only that of the newest item may predict anything.

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

    low_pass: Tensor

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
        self.blocks = nn.ModuleList(FrequencyBlock(dim, heads, dropout, alpha) for _ in range(layers))
        self.drop, self.norm = nn.Dropout(dropout), nn.LayerNorm(dim)
        start_small(self, self.table, self.positions)
        self.register_buffer("low_pass", low_pass_filter(length, cutoff), persistent=False)

    @property
    def items(self) -> Tensor:
        """Vectors of the items, ``(n_items, dim)``: input embeddings and output layer are one table."""
        return self.table

    def newest(self, items: Tensor) -> Tensor:
        """States of the newest items, ``(batch, dim)``.

        Args:
            items: ``(batch, length)`` int64 positions in the catalogue, -1 for padding on the right.
        """
        length = items.shape[1]
        shift = (items < 0).sum(dim=1, keepdim=True)
        places = torch.arange(length, device=items.device) - shift
        items = items.gather(1, places.clamp_min(0)).masked_fill(places < 0, -1)  # now padded on the left
        real = items >= 0
        x = self.drop(self.norm(F.embedding(items.clamp_min(0), self.table) + self.positions[-length:]))
        earlier = torch.ones(length, length, dtype=torch.bool, device=items.device).tril()
        # padding sees itself, so that no row of the attention is empty
        mask = earlier & (real[:, None, None, :] | torch.eye(length, dtype=torch.bool, device=items.device))
        low_pass = self.low_pass[-length:, -length:]
        for block in self.blocks:
            x = block(x * real[..., None], mask, low_pass)
        return x[:, -1]


def low_pass_filter(length: int, cutoff: int) -> Tensor:
    """What keeps the lowest frequencies of a window, as a matrix ``(length, length)``.

    Args:
        length: Of the window.
        cutoff: ``cutoff // 2 + 1`` frequencies are kept.
    """
    spectrum = torch.fft.rfft(torch.eye(length, dtype=torch.float64), dim=0)
    spectrum[cutoff // 2 + 1 :] = 0
    return torch.fft.irfft(spectrum, n=length, dim=0).float()


def start_small(network: nn.Module, *tables: nn.Parameter) -> None:
    """Tables and weights of linear layers from a normal distribution of width 0.02, biases at 0."""
    for parameter in tables:
        nn.init.normal_(parameter, std=0.02)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
