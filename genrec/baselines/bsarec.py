"""BSARec: self-attention with an inductive bias, in which slow and fast changes of a history are weighed apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.baselines.neural import TransformerBaseline, TransformerSettings, check_heads, sizes_for
from genrec.config import Settings
from genrec.data.histories import Histories

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from genrec.baselines.transformer import FrequencyTransformer


class BSARecSettings(TransformerSettings):
    """Settings of :class:`BSARec`."""

    epochs: int = Field(100, ge=1, description="most passes over the training part")
    patience: int = Field(8, ge=1, description="stop after so many epochs without a better validation NDCG@10")
    batch_size: int = Field(256, ge=1, description="targets per step, each with the history before it")
    learning_rate: float = Field(5e-4, gt=0, description="learning rate of AdamW")
    schedule: Literal["constant", "linear"] = Field("constant", description="linear: falls to zero after all epochs")
    heads: int = Field(1, ge=1, description="attention heads; must divide dim")
    alpha: float = Field(0.7, ge=0, lt=1, description="share of the rescaled frequencies; attention has the rest")
    cutoff: int = Field(5, ge=1, description="twice the number of lowest frequencies that count as slow, plus one")


class BSARec(TransformerBaseline):
    """Attention mixed with a filter over the history that keeps slow changes and rescales fast ones.

    Shin et al.: An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention
    (https://arxiv.org/abs/2312.10325): attention alone smooths a history; the filter brings back what changes fast. The
    filter sees a whole history at once, so a training row is one target with all that came before it. Not as there: a
    history is filtered as a window of ``max_items`` with nothing before its oldest item, whatever it is padded to; rows
    of similar length share a batch; a target without a history is none. With ``alpha`` 0 it is a :class:`SASRec` whose
    layers are normalised after and not before, trained in such rows.
    """

    name = "bsarec"
    Config: ClassVar[type[Settings]] = BSARecSettings
    causal = True

    settings: BSARecSettings
    _network: FrequencyTransformer  # type: ignore[assignment]

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """The published settings; length and patience follow from the data, see :func:`sizes_for`."""
        from genrec.baselines.prefix_rows import prefix_batch_size

        return [{**sizes_for(train, cls.Config), "batch_size": prefix_batch_size(train)}]

    def _build(self, device: str | None) -> Any:
        from genrec.baselines.transformer import FrequencyTransformer

        s = self.settings
        check_heads(s, self.name)
        network = FrequencyTransformer(
            len(self.item_ids), s.max_items, s.dim, s.layers, s.heads, s.dropout, alpha=s.alpha, cutoff=s.cutoff
        )
        return network.to(device or "cpu")

    def _batches(self, train: Histories, seed: int) -> Callable[[int], Iterator[Any]]:
        from genrec.baselines.prefix_rows import prefix_batches

        return prefix_batches(train, self.settings.max_items, self.settings.batch_size, seed)

    def _loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> Tensor:
        from genrec.baselines.prefix_rows import prefix_loss

        return prefix_loss(self._network, batch)

    def _inputs(self, histories: Histories) -> np.ndarray:
        return histories.last(self.settings.max_items).padded()
