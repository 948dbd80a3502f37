"""Atomic codes: one token for every item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.quantizers.base import MOST_SIZE, ItemContext
from genrec.quantizers.item_table import Numbered


class AtomicSettings(Settings):
    """Settings of :class:`AtomicCodes`."""

    capacity: int | None = Field(
        None, ge=1, le=MOST_SIZE, description="codes, for items now and later; None: twice the items, a power of two"
    )


class AtomicCodes(Numbered):
    """One code per item: the independent indexing of How to Index Item IDs (arXiv 2305.06569), a control.

    Items share nothing, as in a classical recommender; the vocabulary grows with the catalogue. Items are numbered by
    their ids. As a part of :class:`~genrec.quantizers.concat.Concat` behind another method it makes hybrid IDs.

    Example:
        >>> quantizer, x = AtomicCodes(), np.zeros((3, 1), dtype=np.float32)
        >>> quantizer.fit(x, seed=0, items=ItemContext(["a", "b", "c"]))
        >>> quantizer.encode(x, items=ItemContext(["c", "a", "b"])).tolist(), quantizer.codebook_sizes
        ([[2], [0], [1]], (16,))
    """

    name: ClassVar[str] = "atomic"
    Config: ClassVar[type[Settings]] = AtomicSettings

    def __init__(self, settings: AtomicSettings | None = None) -> None:
        super().__init__()
        self.settings: AtomicSettings = settings or AtomicSettings()
        self._capacity = self.settings.capacity or 0

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """One level; its size is known after fitting unless the settings give it."""
        return (self._capacity,)

    def fitted_sizes(self, rest: Mapping[str, Any]) -> tuple[int, ...]:
        """The size that was chosen when fitting."""
        return (int(rest["capacity"]),)

    def _learn(self, x: np.ndarray, items: ItemContext, seed: int) -> np.ndarray:
        self._capacity = self.settings.capacity or max(16, 1 << (2 * len(x) - 1).bit_length())
        numbers = np.empty(len(x), dtype=np.int64)
        numbers[np.argsort(np.asarray(items.item_ids, dtype=str), kind="stable")] = np.arange(len(x))
        return self._digits(numbers)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Hashes of the ids, the codes, and the size of the level."""
        return super().state()[0], {"capacity": self._capacity}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        super().load_state(tensors, rest)
        self._capacity = int(rest["capacity"])
