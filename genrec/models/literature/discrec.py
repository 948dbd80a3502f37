"""Two views of every code of an item, kept apart and joined by a gate: DiscRec (https://arxiv.org/abs/2506.15576).

The semantic view of a code is its vector as it is. The collaborative view also knows where the code stands in its item
and, through attention that does not leave the item, which other codes the item has. A gate at every code weighs both.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from genrec.config import Width
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig
from genrec.models.parts import check_heads
from genrec.models.registry import network


class DiscRecConfig(ItemDecoderConfig):
    """Configuration of :class:`DiscRec`.

    Attributes:
        local_heads: Heads of the attention inside an item.
        local_width: Width of the feed-forward layer behind it.
        branch: ``both``, or one view alone, as in the ablations.
    """

    model_type = "genrec-discrec"

    local_heads: Width = 2
    local_width: Width = 1024
    branch: Literal["both", "semantic", "collaborative"] = "both"


@network("discrec")
class DiscRec(ItemDecoder):
    """The item decoder with a second, local view of an item's codes and a gate between the two."""

    config_class = DiscRecConfig
    config: DiscRecConfig

    def __init__(self, config: DiscRecConfig) -> None:
        super().__init__(config)
        dim = self.start.vector.shape[0]
        check_heads(dim, config.local_heads, "local_heads")
        self.slots = nn.Parameter(torch.randn(self.n_levels, dim) * 0.02)
        self.local = nn.TransformerEncoderLayer(
            dim, config.local_heads, config.local_width, config.dropout, batch_first=True, norm_first=True
        )
        self.gates = nn.Parameter(torch.zeros(2, dim))
        self.post_init()

    def tokens(self, codes: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.tokens`; the second view of a code depends on the other codes of its item alone."""
        semantic = self.input_table.embed(codes)
        if self.config.branch == "semantic":
            return semantic
        items = (semantic + self.slots).flatten(0, -3)
        local: Any = self.local(items)
        collaborative: Tensor = local.unflatten(0, codes.shape[:-1])
        if self.config.branch == "collaborative":
            return collaborative
        views = torch.stack([semantic, collaborative], dim=-2)  # (users, items, levels, 2, dim)
        weights = (views * self.gates).sum(-1).softmax(-1)
        return (weights[..., None] * views).sum(-2)
