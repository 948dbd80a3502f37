"""The time between items as a vector and as a question: IntervalLLM (https://arxiv.org/abs/2507.23209).

The days since the item before become a vector. It is added to the item, and it asks the items so far, through
attention, what matters after such a time. The state of the history then knows when things were bought, not only in
which order.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from genrec.config import Width
from genrec.models.config import Share
from genrec.models.cross_attention import Cross, seen_by
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig
from genrec.models.parts import check_heads
from genrec.models.registry import network


class IntervalConfig(ItemDecoderConfig):
    """Configuration of :class:`IntervalDecoder`.

    Attributes:
        interval_width: Width of the layer between the days and their vector.
        interval_heads: Heads of the attention from intervals to items.
        interval_dropout: Share of intervals that are hidden in training, so that the network also works without times.
    """

    model_type = "genrec-interval-decoder"

    interval_width: Width = 256
    interval_heads: Width = 2
    interval_dropout: Share = 0.1


@network("interval-decoder")
class IntervalDecoder(ItemDecoder):
    """The item decoder that also reads the time before every item."""

    config_class = IntervalConfig
    config: IntervalConfig
    reads_times: ClassVar[bool] = True

    def __init__(self, config: IntervalConfig) -> None:
        super().__init__(config)
        dim = self.start.vector.shape[0]
        check_heads(dim, config.interval_heads, "interval_heads")
        self.interval = nn.Sequential(
            nn.Linear(1, config.interval_width), nn.GELU(), nn.Linear(config.interval_width, dim), nn.LayerNorm(dim)
        )
        self.unknown = nn.Parameter(torch.zeros(dim))
        self.scale = nn.Parameter(torch.full((), 0.02))
        self.asks = Cross(dim, config.interval_heads)
        self.post_init()

    def embed(self, codes: Tensor, vectors: Tensor | None = None, **more: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.embed`.

        Args:
            codes: ``(users, items, levels)``.
            vectors: As there.
            more: ``mask``, and ``days (users, items)``, NaN where the time before an item is not known. An item that
                is asked for by itself has no time.
        """
        items = super().embed(codes, vectors)
        if "mask" not in more:
            return items
        days = more.get("days", torch.full_like(items[..., 0], torch.nan))
        if self.training and self.config.interval_dropout:
            days = days.masked_fill(torch.rand_like(days) < self.config.interval_dropout, torch.nan)
        intervals = self.vectors_of(days)
        return items + intervals + self.asks(intervals, items, seen_by(more["mask"]))

    def vectors_of(self, days: Tensor) -> Tensor:
        """Vectors of times between items, ``(...) -> (..., dim)``; a learned one where they are not known."""
        known = days.isfinite()
        found = self.interval(days.where(known, 0).log1p()[..., None]) * self.scale
        return torch.where(known[..., None], found, self.unknown)
