"""Items that find their path full move to the nearest one with room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.disambiguation.base import Disambiguation, QuantizedItems
from genrec.disambiguation.free import free_paths
from genrec.trie import group_paths


class NearestFreeSettings(Settings):
    """Settings of :class:`NearestFree`."""

    capacity: int = Field(
        1, ge=1, description="items that a path of the quantizer takes; above 1 a further level numbers them"
    )


class NearestFree(Disambiguation):
    """Every path takes ``capacity`` items, the most popular first; the others move to the nearest path with room.

    With capacity 1, semantic IDs are as short as the quantizer makes them, as under ``uniform``, but an item may leave
    its group, so a catalogue fits as long as there are paths at all. With a larger capacity a further level numbers the
    items of a path, and only those beyond it move. New items never move a published one; which of several new items
    gets a contested path depends on which came first.

    Capacity-constrained codes as in the balanced clustering of OneRec (arXiv 2502.18965) and the bucket capacities of
    ColaRec (arXiv 2403.18480), here item by item.

    Example:
        >>> NearestFree(NearestFreeSettings(capacity=4)).codebook_sizes((256, 256))
        (256, 256, 4)
    """

    name: ClassVar[str] = "nearest-free"
    Config: ClassVar[type[Settings]] = NearestFreeSettings
    moves: ClassVar[bool] = True

    def __init__(self, settings: NearestFreeSettings | None = None) -> None:
        self.settings: NearestFreeSettings = settings or NearestFreeSettings()

    def fit(self, items: QuantizedItems) -> None:
        """Nothing to choose; that there is room shows when items are placed."""

    def room(self, paths: int) -> int | None:
        """The paths as often as ``capacity``."""
        return paths * self.settings.capacity

    def codebook_sizes(self, quantizer_sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The quantizer's, and the level that numbers the items of a path where there is one."""
        return (*quantizer_sizes, self.settings.capacity) if self.settings.capacity > 1 else quantizer_sizes

    def resolve(self, items: QuantizedItems, published: np.ndarray | None = None) -> np.ndarray:
        """Move what finds its path full; see :meth:`Disambiguation.resolve`."""
        n, depth, capacity = len(items.codes), items.codes.shape[1], self.settings.capacity
        taken = np.empty((0, depth), dtype=np.int32) if published is None else published[:, :depth]
        popularity = np.zeros(n) if items.popularity is None else items.popularity
        order = np.argsort(-popularity, kind="stable")
        seats = _count_up(np.concatenate([taken, items.codes[order]]), items.codebook_sizes)[len(taken) :]
        rows = order[seats >= capacity]
        codes = items.codes.copy()
        stay = np.ones(n, dtype=bool)
        stay[rows] = False
        codes[rows] = free_paths(items, rows, np.concatenate([taken, codes[stay]]), capacity)
        if capacity == 1:
            return codes
        sequence = np.r_[order[seats < capacity], rows]
        seats = _count_up(np.concatenate([taken, codes[sequence]]), items.codebook_sizes)[len(taken) :]
        result = np.empty((n, depth + 1), dtype=np.int32)
        result[sequence] = np.column_stack([codes[sequence], seats])
        return result

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""


def _count_up(paths: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """How many earlier rows have the path of each row, ``(n, n_levels) -> (n,)`` int64."""
    groups = group_paths(paths, sizes)
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    result = np.empty(len(groups), dtype=np.int64)
    result[order] = np.arange(len(groups)) - np.searchsorted(ordered, ordered)
    return result
