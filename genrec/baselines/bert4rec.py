"""BERT4Rec: a Transformer that sees both sides and fills in masked items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.baselines.neural import TransformerBaseline, TransformerSettings, sizes_for
from genrec.config import MOST_ROUNDS, Settings
from genrec.data.histories import Histories
from genrec.tensors import product_type

if TYPE_CHECKING:
    from torch import Tensor


class Bert4RecSettings(TransformerSettings):
    """Settings of :class:`Bert4Rec`."""

    epochs: int = Field(
        60, ge=1, le=MOST_ROUNDS, description="most passes over the training part; masks differ from pass to pass"
    )
    patience: int = Field(10, ge=1, description="stop after so many epochs without a better validation NDCG@10")
    dropout: float = Field(
        0.3, ge=0, lt=1, description="dropout of embeddings, attention and the outputs of every block"
    )
    mask_share: float = Field(0.3, gt=0, lt=1, description="chance of an item to be masked")
    last_only: float = Field(0.3, ge=0, le=1, description="share of rows in which only the newest item is masked")


class Bert4Rec(TransformerBaseline):
    """Fills in masked items of training histories; for a recommendation, a masked item is put at the end.

    Sun et al.: BERT4Rec (https://arxiv.org/abs/1904.06690). Some rows mask only their newest item, as there, to be
    like the question asked later. Not as there: the output layer is the item table itself without a further layer
    and bias, and layers are normalised before and not after. The encoder is that of :class:`SASRec`, so the two differ
    in direction and objective only.
    """

    name = "bert4rec"
    Config: ClassVar[type[Settings]] = Bert4RecSettings
    causal = False

    settings: Bert4RecSettings

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Dropout and share of masked items, the likeliest first."""
        pairs = ((0.3, 0.3), (0.5, 0.3), (0.3, 0.6))
        sizes = sizes_for(train, cls.Config)
        return [{"dropout": dropout, "mask_share": share, **sizes} for dropout, share in pairs]

    def _batches(self, train: Histories, seed: int) -> Callable[[int], Iterator[Any]]:
        from genrec.models.history_batches import BucketSampler, HistoryExamples

        # Windows of HistoryExamples hold one item more than they are asked for.
        examples = HistoryExamples(train, self.settings.max_items - 1)
        size = self.settings.batch_size
        sampler = BucketSampler(examples.lengths, size, seed=seed)

        def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            sampler.set_epoch(epoch)
            rng = np.random.default_rng([seed, epoch, 1])
            order = np.fromiter(iter(sampler), dtype=np.int64, count=len(sampler))
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                windows = train.cut(examples.starts[rows], examples.stops[rows], np.zeros(len(rows), dtype=np.int64))
                items = windows.padded()
                yield items, self._masked(items, rng)

        return batches

    def _masked(self, items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which items are hidden, ``(rows, length)`` bool: at least one in every row, never padding."""
        real = items >= 0
        last = np.arange(items.shape[1]) == real.sum(axis=1, keepdims=True) - 1
        chance = np.where(real, rng.random(items.shape), 2.0)
        hidden = chance < self.settings.mask_share
        empty = ~hidden.any(axis=1)
        hidden[empty, chance[empty].argmin(axis=1)] = True
        only = rng.random((len(items), 1)) < self.settings.last_only
        return np.where(only, last, hidden)

    def _loss(self, batch: tuple[np.ndarray, np.ndarray]) -> Tensor:
        import torch

        from genrec.baselines.softmax import full_softmax_loss

        items, hidden = (torch.from_numpy(part).to(self._network.table.device) for part in batch)
        states = self._network(items.long().masked_fill(hidden, self._network.n_items))[hidden]
        return full_softmax_loss(states, self._network.items, items[hidden].long(), dtype=product_type(states.device))

    def _inputs(self, histories: Histories) -> np.ndarray:
        cut = histories.last(self.settings.max_items - 1)
        read = np.pad(cut.padded(), ((0, 0), (0, 1)), constant_values=-1)
        read[np.arange(len(cut)), cut.lengths] = len(self.item_ids)
        return read
