"""SASRec: a causal Transformer over items, with softmax cross-entropy over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.baselines.neural import TransformerBaseline, TransformerSettings, check_heads
from genrec.config import LARGEST_WIDTH, MOST_ROUNDS, Settings
from genrec.data.histories import Histories

if TYPE_CHECKING:
    from torch import Tensor


_MOST_READ = 20.0  # items before a target, on average


class SASRecSettings(TransformerSettings):
    """Settings of :class:`SASRec`."""

    rows: Literal["histories", "prefixes", "windows"] = Field(
        "prefixes",
        description="one target a row, with what came before it; a loss at every item of a history; or, as saved by "
        "older versions, windows with layers that are normalised before",
    )
    dim: int = Field(64, ge=1, le=LARGEST_WIDTH, description="width of embeddings and states")
    batch_size: int = Field(256, ge=1, description="rows per step")
    epochs: int = Field(60, ge=1, le=MOST_ROUNDS, description="most passes over the training part")
    schedule: Literal["constant", "linear"] = Field("linear", description="linear: falls to zero after all epochs")
    patience: int = Field(8, ge=1, description="stop after so many epochs without a better validation NDCG@10")
    averaging: float = Field(
        0.999, ge=0, lt=1, description="decay of the moving average of weights that is measured and kept; 0: none"
    )
    negatives: int = Field(
        2048,
        ge=0,
        le=LARGEST_WIDTH,
        description="items that targets are told apart from in a step of whole histories; 0: all",
    )
    validation_users: int = Field(5000, ge=1, description="cases, a fixed sample, that decide when to stop")


class SASRec(TransformerBaseline):
    """Self-attention from every item to itself and older ones; each position predicts the next item.

    Kang, McAuley: Self-Attentive Sequential Recommendation (https://arxiv.org/abs/1808.09781). Not as there: the loss
    is the cross-entropy over all items (one sampled negative is what makes published SASRec figures low: Klenitskiy,
    Vasilev, https://arxiv.org/abs/2309.07602), every target is a row of its own with the history before it, positions
    count from the newest item, and the moving average of the weights is kept; layers are normalised after and not
    before, and the feed-forward network is four times as wide and uses GELU. With ``rows: histories`` every item of a
    history has a loss in one pass, positions count from the oldest item, and attention has a learned bias by distance.
    A user without items gets the most popular ones.
    """

    name = "sasrec"
    Config: ClassVar[type[Settings]] = SASRecSettings
    legacy: ClassVar[dict[str, Any]] = {"rows": "windows"}
    causal = True

    settings: SASRecSettings

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """The settings that were best on Amazon Beauty's validation; the data decide dropout, length and batches.

        Where histories are long a row for every target would read each item too often: whole histories are rows then.
        """
        from genrec.baselines.history_rows import history_batch_size
        from genrec.baselines.prefix_rows import items_read, prefix_batch_size

        first = super().candidates(train)[0]
        if items_read(train, first["max_items"]) <= _MOST_READ:
            usual = cls.Config.model_fields["dim"].default
            return [{**first, "rows": "prefixes", "dim": usual, "batch_size": prefix_batch_size(train)}]
        whole = {"rows": "histories", "dim": 128, "epochs": 30, "batch_size": history_batch_size(train)}
        return [{**first, **whole}]

    def _filters(self) -> dict[str, Any]:
        return {"alpha": 0.0, "cutoff": 1}

    def _build(self, device: str | None) -> Any:
        s = self.settings
        if s.rows == "windows":
            return super()._build(device)
        from genrec.baselines.causal_transformer import CausalTransformer
        from genrec.baselines.transformer import FrequencyTransformer

        check_heads(s, self.name)
        make = CausalTransformer if s.rows == "histories" else FrequencyTransformer
        network = make(len(self.item_ids), s.max_items, s.dim, s.layers, s.heads, s.dropout, **self._filters())
        return network.to(device or "cpu")

    def _batches(self, train: Histories, seed: int) -> Callable[[int], Iterator[Any]]:
        length, size = self.settings.max_items, self.settings.batch_size
        if self.settings.rows == "prefixes":
            from genrec.baselines.prefix_rows import prefix_batches

            return prefix_batches(train, length, size, seed)
        from genrec.baselines.history_rows import history_batches

        return history_batches(train, length, size, seed)

    def _loss(self, batch: Any) -> Tensor:
        network: Any = self._network
        if self.settings.rows == "prefixes":
            from genrec.baselines.prefix_rows import prefix_loss

            return prefix_loss(network, batch)
        from genrec.baselines.history_rows import history_loss

        return history_loss(network, batch, self.settings.negatives)

    def _inputs(self, histories: Histories) -> np.ndarray:
        cut = histories.last(self.settings.max_items)
        return cut.padded()
