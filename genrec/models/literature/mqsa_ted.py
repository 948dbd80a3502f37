"""Attention that asks with one item and with several; item vectors that know what follows what: MQSA-TED.

After Zhu et al. 2024 (https://arxiv.org/abs/2311.01056). Two stacks of attention read a history. In one the newest item
asks, in the other the mean of the newest few does; their states are mixed. Beside the loss over next items, the
products of an item's vector with all others are drawn towards the counts of what is bought right after it.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import Width
from genrec.data.histories import Histories
from genrec.models.beam_tree import positions
from genrec.models.config import Scale, Share, Some, Weight
from genrec.models.cross_attention import Cross, seen_by
from genrec.models.item_scorer import ItemScorer, ItemScorerConfig
from genrec.models.parts import CodeTable, check_heads
from genrec.models.registry import network
from genrec.models.settings import RunSettings


class MQSAConfig(ItemScorerConfig):
    """Configuration of :class:`MQSATED`.

    Attributes:
        dim: Length of item vectors and states.
        attention_heads: Heads of every attention.
        blocks: Layers of each stack.
        window: Items that ask together in the second stack.
        short_share: What the stack counts in which one item asks; the other counts the rest.
        distillation: Weight of the counts of what follows what.
        temperature: What both sides of that comparison are divided by.
        distilled: Items of a batch for which it is made.
    """

    model_type = "genrec-mqsa-ted"

    dim: Width = 64
    attention_heads: Width = 1
    blocks: Width = 1
    window: Some = 3
    short_share: Share = 0.5
    distillation: Weight = 0.1
    temperature: Scale = 0.1
    distilled: Width = 256


@network("mqsa-ted")
class MQSATED(ItemScorer):
    """Short and long questions to a history, and distilled transitions."""

    config_class = MQSAConfig
    config: MQSAConfig

    def __init__(self, config: MQSAConfig) -> None:
        super().__init__(config)
        dim, heads = config.dim, config.attention_heads
        check_heads(dim, heads, "attention_heads")
        self.rows = nn.Parameter(torch.randn(config.n_items, dim) * 0.01)
        self.code_table = CodeTable(self.codebook_sizes, dim, std=0.01)
        self.places = nn.Parameter(torch.randn(config.max_items + 1, dim) * 0.01)
        self.start = nn.Parameter(torch.randn(dim) * 0.01)
        self.stacks = nn.ModuleList(
            Stack(Block(dim, heads, window, config.dropout) for _ in range(config.blocks))
            for window in (1, config.window)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in self.stacks)
        self._next: sp.csr_array | None = None
        self.post_init()

    def learns_from(self, histories: Histories, seed: int) -> None:
        """Count what is bought right after what."""
        self._next = transitions(histories, self.config.n_items)

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; its blocks are its own."""
        return super().settings_read(config) - {"model.backbone"}

    def table(self) -> Tensor:
        """Rows and code vectors, ``(1, n_items, dim)``; items that entered later have code vectors alone."""
        coded = self.code_table.embed(self.codes).mean(1)
        return (F.pad(self.rows, (0, 0, 0, len(coded) - len(self.rows))) + coded)[None]

    def states(self, items: Tensor, mask: Tensor, table: Tensor) -> Tensor:
        """See :meth:`ItemScorer.states`."""
        places = self.places[positions(mask).clamp_max(len(self.places) - 1)]
        vectors = (table[0][items] * self.config.dim**0.5 + places) * mask[..., None]
        vectors, seen = F.dropout(vectors, self.config.dropout, self.training), seen_by(mask)
        mixed = torch.zeros_like(vectors)
        shares = self.config.short_share, 1 - self.config.short_share
        for stack, norm, share in zip(self.stacks, self.norms, shares, strict=True):
            mixed = mixed + share * norm(stack(vectors, mask, seen))
        return torch.cat([self.start.expand(len(mixed), 1, -1), mixed], dim=1)[:, :, None]

    def auxiliary(self, found: Tensor) -> Tensor | None:
        """See :meth:`ItemScorer.auxiliary`: the distillation of transitions."""
        if not self.config.distillation or self._next is None:
            return None
        chosen = found[torch.randperm(len(found), device=found.device)[: self.config.distilled]]
        return self.config.distillation * self._distilled(chosen)

    def _distilled(self, chosen: Tensor) -> Tensor:
        counts: np.ndarray = self._next[chosen.cpu().numpy()].toarray()  # type: ignore[index]
        table = self.table()[0][: self.config.n_items]
        asking = F.dropout(table[chosen] * self.config.dim**0.5, self.config.dropout, self.training)
        return divergence(torch.from_numpy(counts).to(table), asking @ table.T, self.config.temperature)


class Block(nn.Module):
    """Attention in which the mean of the newest ``window`` items asks, and a layer behind it."""

    def __init__(self, dim: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.window = window
        self.cross = Cross(dim, heads)
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.layers = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim), nn.Dropout(dropout)
        )

    def forward(self, vectors: Tensor, mask: Tensor, seen: Tensor) -> Tensor:
        """States at every item, ``(users, items, dim)``."""
        asking = self.before(window_mean(vectors, mask, self.window))
        found = self.between(self.cross(asking, vectors, seen) + asking)
        out: Tensor = found + self.layers(found)
        return out


class Stack(nn.ModuleList):
    """Blocks, one after the other."""

    def forward(self, vectors: Tensor, mask: Tensor, seen: Tensor) -> Tensor:
        """States at every item, ``(users, items, dim)``; zeros at padding."""
        for block in self:
            vectors = block(vectors, mask, seen) * mask[..., None]
        return vectors


def window_mean(vectors: Tensor, mask: Tensor, window: int) -> Tensor:
    """Mean of the newest ``window`` real items up to every item, ``(users, items, dim)``.

    Args:
        vectors: ``(users, items, dim)``.
        mask: ``(users, items)`` bool, False at padding on either side.
        window: How many; 1: the item itself.
    """
    real = mask[..., None].to(vectors)
    parts = torch.cat([vectors * real, real], dim=-1)
    sums = parts.clone()
    for step in range(1, min(window, mask.shape[1])):
        sums[:, step:] += parts[:, :-step]
    return sums[..., :-1] / sums[..., -1:].clamp_min(1)


def transitions(histories: Histories, n_items: int) -> sp.csr_array:
    """How often every item is bought right after every other, ``(n_items, n_items)`` float32."""
    last = np.zeros(len(histories.items), dtype=bool)
    last[histories.offsets[1:][histories.lengths > 0] - 1] = True
    before = np.flatnonzero(~last)
    pairs = histories.items[before], histories.items[before + 1]
    return sp.csr_array((np.ones(len(before), dtype=np.float32), pairs), shape=(n_items, n_items))


def divergence(counts: Tensor, products: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of two softmaxes over items, a mean over rows; 0 where they are the same.

    Args:
        counts: ``(m, n_items)``; every row is divided by its largest.
        products: ``(m, n_items)``.
        temperature: What both are divided by.
    """
    wanted = (counts / counts.amax(1, keepdim=True).clamp_min(1e-9) / temperature).log_softmax(1)
    return F.kl_div((products / temperature).log_softmax(1), wanted, reduction="batchmean", log_target=True)
