"""Training examples from histories: windows or prefixes, in batches of similar length.

Random batches of histories are mostly padding, because every batch holds one long history. Sorting inside pools of
batches keeps padding at a few per cent. Everything is a function of (seed, epoch, row), so a resumed run sees the same
batches as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.models.beam_tree import last_real
from genrec.models.outputs import Reader


@dataclass(frozen=True)
class PackedRow:
    """Histories in a row.

    Attributes:
        domain: Number of the catalogue.
        items: ``(n,)`` int32 positions in it.
        segments: ``(n,)`` int64 number of the user inside the row, in blocks.
        targets: ``(n,)`` bool: which items count as targets.
    """

    domain: int
    items: np.ndarray
    segments: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class UserRow:
    """A row of training with its user.

    Attributes:
        user: Number among the training histories.
        items: ``(n,)`` int32 catalogue positions.
    """

    user: int
    items: np.ndarray


class HistoryExamples(Dataset[np.ndarray]):
    """Rows ``items[start:stop]`` of users' training histories.

    Args:
        histories: Training part only.
        max_items: Longest history that the model reads; a row has one item more, the newest target.
        prefixes: One row per target instead of one per window.
        drop: Probability with which every item but the newest is left out of a row, anew in every epoch. What remains
            is predicted across the gaps, as transition counts over a window do, and no user is learned by heart.
        seed: Of what is dropped, together with the epoch and the row.

    Attributes:
        epoch: Decides what is dropped; the sampler sets it.

    Raises:
        DataError: No history has an item to learn from.
    """

    def __init__(
        self, histories: Histories, max_items: int, *, prefixes: bool = False, drop: float = 0.0, seed: int = 0
    ) -> None:
        starts, stops = (_prefix_rows if prefixes else _window_rows)(histories, max_items)
        if not len(starts):
            raise DataError(
                "There is nothing to train on: every training history is empty.",
                expected="users with at least 3 interactions under leave-one-out",
            )
        self.items, self.starts, self.stops = histories.items, starts, stops
        self.drop, self.seed, self.epoch = drop, seed, 0

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.items[self.places(row)]

    def places(self, row: int) -> slice | np.ndarray:
        """Where the items of a row stand among those of all histories, without what is dropped in this epoch."""
        start, stop = int(self.starts[row]), int(self.stops[row])
        if not self.drop:
            return slice(start, stop)
        keep = np.random.default_rng([self.seed, 2, self.epoch, row]).random(stop - start) >= self.drop
        keep[-1] = True
        return start + np.flatnonzero(keep)

    @property
    def lengths(self) -> np.ndarray:
        """Items of every row, ``(n_rows,)``."""
        return self.stops - self.starts

    def sampler(self, batch_size: int, *, pool: int = 50, seed: int = 0) -> BucketSampler:
        """Row numbers in batches of similar length; see :class:`BucketSampler`."""
        return BucketSampler(self.lengths, batch_size, pool=pool, seed=seed, examples=self)


def _window_rows(histories: Histories, max_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of ``max_items + 1`` items that overlap by one: every item is a target once."""
    lengths = histories.lengths
    windows = np.maximum(np.ceil((lengths - 1) / max_items), (lengths > 0).astype(int)).astype(np.int64)
    user = np.repeat(np.arange(len(histories)), windows)
    nth = np.arange(len(user)) - np.repeat(np.cumsum(windows) - windows, windows)
    stops = histories.offsets[1:][user] - nth * max_items
    return np.maximum(stops - max_items - 1, histories.offsets[:-1][user]), stops


def _prefix_rows(histories: Histories, max_items: int) -> tuple[np.ndarray, np.ndarray]:
    user = np.repeat(np.arange(len(histories)), histories.lengths)
    stops = np.arange(1, len(user) + 1)
    return np.maximum(stops - max_items - 1, histories.offsets[:-1][user]), stops


class BucketSampler(Sampler[int]):
    """Row numbers in an order whose consecutive batches hold rows of similar length.

    Args:
        lengths: ``(n_rows,)`` lengths.
        batch_size: Rows per batch over all processes.
        pool: Batches that are sorted together; larger pools pad less and shuffle less.
        seed: Of the order; every epoch has its own.
        examples: The rows, where they change with the epoch.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        *,
        pool: int = 50,
        seed: int = 0,
        examples: HistoryExamples | None = None,
    ) -> None:
        self.lengths, self.batch_size, self.pool, self.seed, self.epoch = lengths, batch_size, pool, seed, 0
        self.examples = examples

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before every epoch."""
        self.epoch = int(epoch)
        if self.examples is not None:
            self.examples.epoch = self.epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        rows = rng.permutation(len(self.lengths))
        size = self.batch_size * self.pool
        pools = [rows[at : at + size] for at in range(0, len(rows), size)]
        ordered = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        whole = len(ordered) // self.batch_size
        batches = rng.permutation(whole)
        for batch in batches:
            yield from ordered[batch * self.batch_size : (batch + 1) * self.batch_size].tolist()
        # The incomplete batch goes last: in the middle it would shift the borders of all that follow.
        yield from ordered[whole * self.batch_size :].tolist()

    def padding_ratio(self) -> float:
        """Padded over real positions in the current epoch (1 is no padding)."""
        order = self.lengths[np.fromiter(iter(self), dtype=np.int64, count=len(self))]
        cuts = np.arange(0, len(order), self.batch_size)
        longest = np.maximum.reduceat(order, cuts)
        sizes = np.diff(np.r_[cuts, len(order)])
        return float((longest * sizes).sum() / order.sum())


class CodeCollator:
    """Rows of items → tensors of codes.

    Args:
        codes: ``(n_items, n_levels)`` of the semantic index.
        vectors: ``(n_items, dim)`` float32, for models that read item vectors beside the codes.
    """

    def __init__(self, codes: np.ndarray, vectors: np.ndarray | None = None) -> None:
        self.codes = torch.from_numpy(np.asarray(codes, dtype=np.int64))
        self.vectors = None if vectors is None else torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))

    def __call__(self, rows: list[np.ndarray] | Histories) -> dict[str, Any]:
        """``codes (rows, longest, n_levels)`` int64, ``mask`` bool and ``vectors``, padded on the right."""
        histories = rows if isinstance(rows, Histories) else Histories.from_lists(rows)  # type: ignore[arg-type]
        padded = histories.padded()
        items = torch.from_numpy(padded.astype(np.int64))
        mask = items >= 0
        batch = {"codes": self.codes[items.clamp_min(0)], "mask": mask}
        if self.vectors is not None:
            batch["vectors"] = self.vectors[items.clamp_min(0)]
        return batch


class NewestTargets:
    """Batches in which the newest item of every row is the only target: one example a next item.

    Args:
        read: Rows → a batch with ``codes`` and ``mask``.
    """

    def __init__(self, read: Reader) -> None:
        self.read = read

    def __call__(self, rows: list[np.ndarray] | Histories) -> dict[str, Any]:
        """The batch, with a ``target_mask (rows, longest)`` bool."""
        batch = self.read(rows)
        mask: torch.Tensor = batch["mask"]
        newest = torch.nn.functional.one_hot(last_real(mask), mask.shape[1]).bool()
        return {**batch, "target_mask": newest & mask}


class WithItems:
    """A reader that also tells which items they are.

    Args:
        read: Histories → a batch.
    """

    def __init__(self, read: Reader) -> None:
        self.read = read

    def __call__(self, rows: list[np.ndarray] | Histories) -> dict[str, Any]:
        """What ``read`` gives, and ``items (rows, longest)`` int64; -1 at padding."""
        histories = rows if isinstance(rows, Histories) else Histories.from_lists(rows)  # type: ignore[arg-type]
        return {**self.read(histories), "items": torch.from_numpy(histories.padded().astype(np.int64))}
