"""SASRec: a causal Transformer over items, with softmax cross-entropy over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.baselines.neural import TransformerBaseline, TransformerSettings, check_heads
from genrec.config import Settings
from genrec.data.histories import Histories

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class SASRecSettings(TransformerSettings):
    """Settings of :class:`SASRec`."""

    rows: Literal["prefixes", "windows"] = Field(
        "prefixes", description="one target a row, with what came before it; or a loss at every item of a window"
    )
    batch_size: int = Field(256, ge=1, description="rows per step")
    epochs: int = Field(100, ge=1, description="most passes over the training part")
    schedule: Literal["constant", "linear"] = Field("constant", description="linear: falls to zero after all epochs")
    patience: int = Field(8, ge=1, description="stop after so many epochs without a better validation NDCG@10")


class SASRec(TransformerBaseline):
    """Self-attention from every item to itself and older ones; each position predicts the next item.

    Kang, McAuley: Self-Attentive Sequential Recommendation (https://arxiv.org/abs/1808.09781). Not as there: the loss
    is the cross-entropy over all items (one sampled negative is what makes published SASRec figures low: Klenitskiy,
    Vasilev, https://arxiv.org/abs/2309.07602), every target is a row of its own with the history before it, positions
    count from the newest item, the feed-forward network is four times as wide and uses GELU. With ``rows: windows`` a
    window has a loss at every item, positions count from the oldest, and layers are normalised before and not after:
    that takes half as long and learns less. A user without items gets the most popular ones.
    """

    name = "sasrec"
    Config: ClassVar[type[Settings]] = SASRecSettings
    legacy: ClassVar[dict[str, Any]] = {"rows": "windows"}
    causal = True

    settings: SASRecSettings

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Dropout and width, the likeliest first; length, batches and patience follow from the data."""
        from genrec.baselines.prefix_rows import prefix_batch_size

        return [{**one, "batch_size": prefix_batch_size(train)} for one in super().candidates(train)]

    def _build(self, device: str | None) -> Any:
        if self.settings.rows == "windows":
            return super()._build(device)
        from genrec.baselines.transformer import FrequencyTransformer

        s = self.settings
        check_heads(s, self.name)
        sizes = (len(self.item_ids), s.max_items, s.dim, s.layers, s.heads, s.dropout)
        return FrequencyTransformer(*sizes, alpha=0.0, cutoff=1).to(device or "cpu")

    def _batches(self, train: Histories, seed: int) -> Callable[[int], Iterator[Any]]:
        if self.settings.rows == "prefixes":
            from genrec.baselines.prefix_rows import prefix_batches

            return prefix_batches(train, self.settings.max_items, self.settings.batch_size, seed)
        return self._windows(train, seed)

    def _windows(self, train: Histories, seed: int) -> Callable[[int], Iterator[Any]]:
        import torch

        from genrec.models.history_batches import BucketSampler, HistoryExamples

        examples = HistoryExamples(train, self.settings.max_items)
        size = self.settings.batch_size
        sampler = BucketSampler(examples.lengths, size, seed=seed)

        def batches(epoch: int) -> Iterator[torch.Tensor]:
            sampler.set_epoch(epoch)
            order = np.fromiter(iter(sampler), dtype=np.int64, count=len(sampler))
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                windows = train.cut(examples.starts[rows], examples.stops[rows], np.zeros(len(rows), dtype=np.int64))
                yield torch.from_numpy(windows.padded().astype(np.int64))

        return batches

    def _loss(self, batch: Any) -> Tensor:
        from genrec.baselines.softmax import full_softmax_loss

        if self.settings.rows == "prefixes":
            from genrec.baselines.prefix_rows import prefix_loss

            network: Any = self._network
            return prefix_loss(network, batch)
        items = batch.to(self._network.table.device)  # (rows, length + 1)
        targets = items[:, 1:]
        real = targets >= 0
        states = self._network(items[:, :-1])[real]  # only real targets meet the catalogue
        return full_softmax_loss(states, self._network.items, targets[real])

    def _inputs(self, histories: Histories) -> np.ndarray:
        cut = histories.last(self.settings.max_items)
        return cut.padded()
