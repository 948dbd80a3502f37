"""A row for every item beside the vectors of its codes, each helping the other: H2Rec (https://arxiv.org/abs/2512.10388).

Rows know who buys an item and serve items that many buy; codes are shared, and serve those that few buy. One branch
reads the history by rows, each enriched by attention from every level of the codes to the rows so far, with a gate over
the levels. The other reads it by codes that are enriched by the rows. Both states meet their own table of items, and
the two scores are added. A contrast keeps the two vectors of an item near each other and near those of items that are
bought close to it: one to many.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import Width
from genrec.data.histories import Histories
from genrec.encoders.cooccurrence import count_pairs
from genrec.models.beam_tree import read_prefix
from genrec.models.config import Scale, Some, Weight
from genrec.models.cross_attention import Cross, seen_by
from genrec.models.item_scorer import ItemScorer, ItemScorerConfig
from genrec.models.parts import CodeTable, Start, build_backbone, check_heads
from genrec.models.registry import network


class H2RecConfig(ItemScorerConfig):
    """Configuration of :class:`H2Rec`.

    Attributes:
        cross_heads: Heads of the attention between the branches.
        align: Weight of the contrast between rows and codes of items.
        temperature: What cosines are divided by in it.
        window: Longest distance of two items that count as bought close to each other.
        positives: Most items that an item is held to be near, beside itself.
        least_pairs: Fewer pairs than so many, the near ones counting more, make no positive.
    """

    model_type = "genrec-h2rec"

    cross_heads: Width = 4
    align: Weight = 0.1
    temperature: Scale = 0.5
    window: Some = 3
    positives: Width = 20
    least_pairs: Weight = 2.0


@network("h2rec")
class H2Rec(ItemScorer):
    """Two branches, rows and codes, over one causal network."""

    config_class = H2RecConfig
    config: H2RecConfig

    def __init__(self, config: H2RecConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config.backbone, config.dropout)
        dim = self.backbone.config.hidden_size
        check_heads(dim, config.cross_heads, "cross_heads")
        self.rows = nn.Parameter(torch.randn(config.n_items, dim) * 0.02)
        self.code_table = CodeTable(self.codebook_sizes, dim)
        self.to_rows = nn.ModuleList(Cross(dim, config.cross_heads) for _ in range(self.n_levels))
        self.to_codes = Cross(dim, config.cross_heads)
        self.gate = nn.Sequential(nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, self.n_levels))
        self.starts = nn.ModuleList(Start(dim) for _ in range(2))
        self._near: tuple[Tensor, Tensor] | None = None
        self.post_init()

    def learns_from(self, histories: Histories, seed: int) -> None:
        """Take which items are bought close to which."""
        counts = count_pairs(histories.items, histories.offsets, self.config.n_items, self.config.window)
        self._near = nearest(counts, self.config.positives, self.config.least_pairs)

    def table(self) -> Tensor:
        """Rows, and means of code vectors, ``(2, n_items, dim)``; items that entered later have rows of zeros."""
        coded = self.code_table.embed(self.codes).mean(1)
        return torch.stack([F.pad(self.rows, (0, 0, 0, len(coded) - len(self.rows))), coded])

    def gates(self, rows: Tensor) -> Tensor:
        """What every level counts, ``(..., levels)``; coarse levels have a start over fine ones."""
        start = torch.linspace(1.0, 0.2, self.n_levels, device=rows.device)
        weights: Tensor = self.gate(rows) + start
        return weights.softmax(-1)

    def states(self, items: Tensor, mask: Tensor, table: Tensor) -> Tensor:
        """See :meth:`ItemScorer.states`: the state by rows and the one by codes."""
        rows, coded = table[0][items], table[1][items]
        views = self.code_table.embed(self.codes[items])  # (users, items, levels, dim)
        seen = seen_by(mask)
        enriched = torch.stack([cross(views[:, :, level], rows, seen) for level, cross in enumerate(self.to_rows)], 2)
        by_rows = rows + (self.gates(rows)[..., None] * enriched).sum(2)
        by_codes = coded + self.to_codes(rows, coded, seen)
        return torch.stack([self._read(start, one, mask) for start, one in self._branches(by_rows, by_codes)], dim=2)

    def auxiliary(self, found: Tensor) -> Tensor | None:
        """See :meth:`ItemScorer.auxiliary`: the contrast between rows and codes."""
        if not self.config.align or self._near is None:
            return None
        rows, coded = self.table()[:, found].unbind()
        near, weights = (part.to(found.device)[found] for part in self._near)
        wanted = positives(found, near, weights, self.config.n_items)
        return self.config.align * one_to_many(rows, coded, wanted, self.config.temperature)

    def _branches(self, *inputs: Tensor) -> list[tuple[nn.Module, Tensor]]:
        return list(zip(self.starts, inputs, strict=True))

    def _read(self, start: nn.Module, vectors: Tensor, mask: Tensor) -> Tensor:
        started, columns = start(vectors, mask)
        started = F.dropout(started, self.config.dropout, self.training)
        return read_prefix(self.backbone, columns, None, inputs_embeds=started)


def nearest(counts: sp.csr_array, most: int, least: float) -> tuple[Tensor, Tensor]:
    """The items with which every item has most pairs, ``(n_items, most)`` int64 and their weights, at most 1.

    Args:
        counts: ``(n_items, n_items)``, symmetric.
        most: How many; weights are 0 where there are fewer.
        least: Smallest count.
    """
    matrix = sp.csr_matrix(counts - sp.diags_array(counts.diagonal()))
    matrix.data[matrix.data < least] = 0
    matrix.eliminate_zeros()
    items = np.zeros((matrix.shape[0], most), dtype=np.int64)
    weights = np.zeros((matrix.shape[0], most), dtype=np.float32)
    for item in range(matrix.shape[0]):
        row = matrix[[item]]
        best = np.argsort(-row.data, kind="stable")[:most]
        items[item, : len(best)], weights[item, : len(best)] = row.indices[best], row.data[best]
    return torch.from_numpy(items), torch.from_numpy(weights / np.maximum(weights.max(1, keepdims=True), 1e-9))


def positives(found: Tensor, near: Tensor, weights: Tensor, n_items: int) -> Tensor:
    """What every item of a batch counts as a positive of every other, ``(m, m)``; of itself 1.

    Args:
        found: ``(m,)`` int64 different items.
        near: ``(m, most)`` int64 their positives in the catalogue.
        weights: ``(m, most)``.
        n_items: Of the catalogue.
    """
    place = torch.full((n_items,), len(found), dtype=torch.int64, device=found.device)
    place[found] = torch.arange(len(found), device=found.device)
    wanted = weights.new_zeros(len(found), len(found) + 1).scatter_reduce(1, place[near], weights, "amax")
    return torch.maximum(wanted[:, :-1], torch.eye(len(found), device=found.device))


def one_to_many(rows: Tensor, coded: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """InfoNCE (https://arxiv.org/abs/1807.03748) with several weighted positives, in both directions.

    Args:
        rows: ``(m, dim)``.
        coded: ``(m, dim)``.
        wanted: ``(m, m)`` weights of positives, from :func:`positives`.
        temperature: What cosines are divided by.
    """
    cosines = F.normalize(rows, dim=1) @ F.normalize(coded, dim=1).T / temperature
    share = wanted / wanted.sum(1, keepdim=True)
    there, back = (-(share * one.log_softmax(1)).sum(1).mean() for one in (cosines, cosines.T))
    return (there + back) / 2
