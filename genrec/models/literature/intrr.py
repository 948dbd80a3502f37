"""One position an item whose codes are weighed by what it is bought with: the input of IntRR.

After Wang et al. 2026 (https://arxiv.org/abs/2602.20704). An item has a row of its own. From it every level of the
codebooks is read by a softmax, the first from the row, each further one from the row and what the level before gave.
The item is the sum of what is read. The right codes are only a target of this reading, so training may move items away
from the codes that they were given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import Width
from genrec.models.config import Count, Scale, Weight
from genrec.models.history_batches import WithItems
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig
from genrec.models.outputs import CodeModelOutput, Reader
from genrec.models.registry import network

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class IntRRConfig(ItemDecoderConfig):
    """Configuration of :class:`IntRR`.

    Attributes:
        n_items: Items that have a row; those that enter the index later are read by their codes.
        assignment_width: Width of the layer between two levels.
        assignment_temperature: What similarities to codes are divided by.
        assignment: Weight of the loss that holds items to their codes.
    """

    model_type = "genrec-intrr"
    derived = ItemDecoderConfig.derived | {"n_items"}

    n_items: Count = 0
    assignment_width: Width = 256
    assignment_temperature: Scale = 1.0
    assignment: Weight = 0.1


@network("intrr")
class IntRR(ItemDecoder):
    """The item decoder that reads items by softly assigned codes."""

    config_class = IntRRConfig
    config: IntRRConfig

    def __init__(self, config: IntRRConfig) -> None:
        super().__init__(config)
        dim = self.start.vector.shape[0]
        self.rows = nn.Parameter(torch.randn(config.n_items, dim))
        self.further = nn.ModuleList(
            nn.Sequential(
                nn.Linear(2 * dim, config.assignment_width), nn.ReLU(), nn.Linear(config.assignment_width, dim)
            )
            for _ in range(self.n_levels - 1)
        )
        self.post_init()

    @classmethod
    def sizes(cls, index: SemanticIndex) -> dict[str, Any]:
        """See :meth:`CodeModel.sizes`: a row an item."""
        return {"n_items": len(index)}

    def reader(self, index: SemanticIndex, config: RunSettings) -> Reader:
        """Codes and catalogue positions."""
        return WithItems(super().reader(index, config))

    def assign(self, rows: Tensor) -> list[Tensor]:
        """Scores of the codes of every level, ``(..., codebook_size)`` each, from rows ``(..., dim)``."""
        found, asking = [], rows
        for level in range(self.n_levels):
            found.append(self.input_table.logits(asking, level) / self.config.assignment_temperature)
            if level + 1 < self.n_levels:
                given = found[-1].softmax(-1) @ self.input_table.level(level)
                asking = self.further[level](torch.cat([given, rows], dim=-1))
        return found

    def embed(self, codes: Tensor, vectors: Tensor | None = None, **more: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.embed`.

        Args:
            codes: ``(users, items, levels)``; what is read of items without a row.
            vectors: As there.
            more: ``items (users, items)`` int64 catalogue positions; without them every item is read by its codes.
        """
        by_codes = super().embed(codes, vectors)
        items = more.get("items")
        if items is None:
            return by_codes
        has_row = (items >= 0) & (items < self.config.n_items)
        rows = self.rows[items.clamp(0, max(0, self.config.n_items - 1))]
        if vectors is not None and self.auxiliary is not None:
            rows = rows + self.auxiliary(vectors)
        parts = [scores.softmax(-1) @ self.input_table.level(level) for level, scores in enumerate(self.assign(rows))]
        return torch.where(has_row[..., None], torch.stack(parts).sum(0), by_codes)

    def forward(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        **more: Tensor,
    ) -> CodeModelOutput:
        """See :meth:`ItemDecoder.forward`; with the loss that holds items to their codes in training."""
        output = super().forward(codes, mask, target_mask, vectors, **more)
        items = more.get("items")
        if not (self.training and self.config.assignment) or items is None:
            return output
        known = mask & (items < self.config.n_items)
        rows = self.rows[items[known]]
        if vectors is not None and self.auxiliary is not None:
            rows = rows + self.auxiliary(vectors[known])
        scores: Any = self.assign(rows)
        held = sum(F.cross_entropy(one, codes[known][:, level]) for level, one in enumerate(scores))
        return output.adding(self.config.assignment * torch.as_tensor(held))
