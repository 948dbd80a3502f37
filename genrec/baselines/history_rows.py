"""Training rows that are whole histories, with a loss at every item, and few of them a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from genrec.baselines.softmax import sampled_softmax_loss
from genrec.data.histories import Histories
from genrec.models.history_batches import BucketSampler, HistoryExamples
from genrec.tensors import product_type

_TARGETS = 256
_FEWEST_ROWS = 4


class CausalNetwork(Protocol):
    """Items to states that know nothing of later items."""

    @property
    def items(self) -> Tensor:
        """Vectors of the items, ``(n_items, dim)``."""

    def __call__(self, items: Tensor) -> Tensor:
        """``(rows, n)`` int64, -1 for padding on the right, to ``(rows, n, dim)``."""


def history_batches(train: Histories, max_items: int, size: int, seed: int) -> Callable[[int], Iterator[Tensor]]:
    """Batches of an epoch: ``(rows, length + 1)`` int64, padded on the right with -1.

    Args:
        train: Training part; longer histories are cut into windows that overlap by one item.
        max_items: Newest items that are read.
        size: Rows of a batch, of similar length.
        seed: Of the order, with the epoch.
    """
    examples = HistoryExamples(train, max_items)
    sampler = BucketSampler(examples.lengths, size, seed=seed)

    def batches(epoch: int) -> Iterator[Tensor]:
        sampler.set_epoch(epoch)
        order = np.fromiter(iter(sampler), dtype=np.int64, count=len(sampler))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            windows = train.cut(examples.starts[rows], examples.stops[rows], np.zeros(len(rows), dtype=np.int64))
            yield torch.from_numpy(windows.padded().astype(np.int64))

    return batches


def history_loss(network: CausalNetwork, items: Tensor, negatives: int) -> Tensor:
    """Cross-entropy over all items, mean over places with a next item.

    Args:
        network: To train.
        items: ``(rows, length + 1)`` of :func:`history_batches`.
        negatives: Of :func:`~genrec.baselines.softmax.sampled_softmax_loss`.
    """
    items = items.to(network.items.device)
    targets = items[:, 1:]
    real = targets >= 0
    states = network(items[:, :-1])[real]  # only real targets meet the catalogue
    return sampled_softmax_loss(states, network.items, targets[real], negatives, dtype=product_type(items.device))


def history_batch_size(train: Histories) -> int:
    """Rows of a batch that have about 256 targets, or as many as leave a hundred steps an epoch."""
    targets = np.maximum(train.lengths - 1, 0)
    rows = int((targets > 0).sum())
    if not rows:
        return _FEWEST_ROWS
    wanted = min(_TARGETS, int(targets.sum()) // 100)
    return max(_FEWEST_ROWS, round(wanted * rows / int(targets.sum())))
