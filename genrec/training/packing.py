"""Histories of many users, and of many catalogues, in full rows: several users one behind the other.

Padding random histories to the longest wastes most of a batch. Attention and targets stay inside a user (a *segment*),
so packing changes the cost and nothing else. A row, and a batch, is of one domain: a target is told apart from items of
its own catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from torch.utils.data import Dataset, Sampler

from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.models.history_batches import HistoryExamples, PackedRow
from genrec.wording import count


class PackedExamples(Dataset[PackedRow]):
    """Windows of users' histories, packed into rows of at most ``row_items`` items.

    Args:
        domains: Training histories of every catalogue.
        max_items: Longest history that the model reads; windows are one item longer, as in
            :class:`~genrec.models.history_batches.HistoryExamples`.
        row_items: Items of a row, at least a window.
        novel: Items that the user already had in the window are no targets.
        seed: Of the order in which windows are packed.

    Raises:
        ConfigError: Rows shorter than a window.
        DataError: A domain has nothing to train on.
    """

    def __init__(
        self, domains: Sequence[Histories], max_items: int, row_items: int, *, novel: bool = True, seed: int = 0
    ) -> None:
        if row_items <= max_items:
            raise ConfigError(
                f"Rows of {count(row_items, 'item')} do not hold a window of {max_items + 1}.",
                where="examples.row_items",
            )
        self.novel = novel
        self._items, self._windows = [], []
        self._rows: list[tuple[int, int, int]] = []  # domain, first window, stop
        self.lengths_per_domain: list[int] = []
        self.targets = 0
        for number, histories in enumerate(domains):
            windows = HistoryExamples(histories, max_items)
            order = np.random.default_rng([seed, number]).permutation(len(windows))
            order = order[windows.lengths[order] > 1]
            if not len(order):
                raise DataError(
                    "A domain has nothing to train on.", where=f"domain {number}", expected="longer histories"
                )
            self._items.append(windows.items)
            self._windows.append(np.column_stack([windows.starts[order], windows.stops[order]]))
            cuts = _fill(windows.lengths[order], row_items)
            self._rows += [(number, a, b) for a, b in pairwise(cuts)]
            self.lengths_per_domain.append(len(cuts) - 1)
            self.targets += int((windows.lengths[order] - 1).sum())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> PackedRow:
        domain, first, stop = self._rows[row]
        parts = [self._items[domain][a:b] for a, b in self._windows[domain][first:stop]]
        items = np.concatenate(parts)
        segments = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        targets = np.ones(len(items), dtype=bool)
        if self.novel:
            # the first of every (segment, item) pair
            targets[:] = False
            targets[np.unique(segments * (int(items.max()) + 1) + items, return_index=True)[1]] = True
        return PackedRow(domain, items, segments, targets)


def _fill(lengths: np.ndarray, capacity: int) -> list[int]:
    """Where rows begin when windows are put into them one after the other, with the end."""
    cuts, used = [0], 0
    for window, length in enumerate(lengths.tolist()):
        if used + length > capacity:
            cuts.append(window)
            used = 0
        used += length
    return [*cuts, len(lengths)]


class DomainSampler(Sampler[int]):
    """Rows in batches of one domain each; domains come up in proportion to their rows to the power of ``temperature``.

    1 is proportional, 0 gives every domain the same number of batches. The order is a function of seed and epoch, so a
    resumed run sees the same batches as an uninterrupted one. A domain that comes up more often than it has rows is
    gone through again.

    Args:
        rows: Rows of every domain; they are numbered domain by domain.
        batch_size: Rows per batch over all processes.
        temperature: From 0 to 1.
        seed: Of the order.
    """

    def __init__(self, rows: Sequence[int], batch_size: int, *, temperature: float = 0.5, seed: int = 0) -> None:
        self.rows, self.batch_size, self.seed, self.epoch = np.asarray(rows, dtype=np.int64), batch_size, seed, 0
        total = max(len(self.rows), round(self.rows.sum() / batch_size))
        share = self.rows.astype(float) ** temperature
        self.batches = np.maximum(1, np.round(total * share / share.sum())).astype(np.int64)

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before every epoch."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        return int(self.batches.sum()) * self.batch_size

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        starts = np.cumsum(self.rows) - self.rows
        batches: list[np.ndarray] = []
        for start, rows, wanted in zip(starts, self.rows, self.batches, strict=True):
            needed = int(wanted) * self.batch_size
            passes = [rng.permutation(rows) for _ in range(-(-needed // int(rows)))]
            batches += list((start + np.concatenate(passes)[:needed]).reshape(int(wanted), self.batch_size))
        for batch in rng.permutation(len(batches)):
            yield from batches[batch].tolist()
