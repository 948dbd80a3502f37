"""Training rows of one target and all that came before it, as a request looks when it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from genrec.baselines.softmax import full_softmax_loss
from genrec.baselines.transformer import FrequencyTransformer
from genrec.data.histories import Histories
from genrec.models.history_batches import BucketSampler, HistoryExamples
from genrec.tensors import product_type

Batch = tuple[Tensor, Tensor]
_TARGETS, _FEWEST = 256, 16


def prefix_batches(train: Histories, max_items: int, size: int, seed: int) -> Callable[[int], Iterator[Batch]]:
    """Batches of an epoch: histories ``(rows, length)`` padded on the right with -1, and targets ``(rows,)``.

    Args:
        train: Training part; a target needs at least one item before it.
        max_items: Newest items of a history that are read.
        size: Rows of a batch, of similar length.
        seed: Of the order, with the epoch.
    """
    examples = HistoryExamples(train, max_items, prefixes=True)
    usable = np.flatnonzero(examples.lengths >= 2)
    starts, stops = examples.starts[usable], examples.stops[usable]
    sampler = BucketSampler(stops - starts, size, seed=seed)

    def batches(epoch: int) -> Iterator[Batch]:
        sampler.set_epoch(epoch)
        order = np.fromiter(iter(sampler), dtype=np.int64, count=len(sampler))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            read = train.cut(starts[rows], stops[rows] - 1, np.zeros(len(rows), dtype=np.int64)).padded()
            targets = train.items[stops[rows] - 1]
            yield torch.from_numpy(read.astype(np.int64)), torch.from_numpy(targets.astype(np.int64))

    return batches


def prefix_loss(network: FrequencyTransformer, batch: Batch) -> Tensor:
    """Cross-entropy of the targets over all items."""
    read, targets = (part.to(network.table.device) for part in batch)
    dtype = product_type(targets.device)
    return full_softmax_loss(network.newest(read), network.items, targets, dtype=dtype)


def items_read(train: Histories, max_items: int) -> float:
    """Items that stand before a target, at most ``max_items``, on average; 0 where there is no target."""
    targets = np.maximum(train.lengths - 1, 0).astype(np.int64)
    short = np.minimum(targets, max_items)
    total = (short * (short + 1) // 2 + max_items * (targets - short)).sum()
    return float(total / max(1, targets.sum()))


def prefix_batch_size(train: Histories) -> int:
    """Rows of a batch: 256, or as many as leave a hundred steps an epoch."""
    targets = int(np.maximum(train.lengths - 1, 0).sum())
    return int(min(_TARGETS, max(_FEWEST, targets // 100)))
