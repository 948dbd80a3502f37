"""Sequential codes: items numbered in the order in which training users meet them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE, ItemContext
from genrec.quantizers.item_table import Numbered, require_train


class SequentialSettings(Settings):
    """Settings of :class:`SequentialCodes`."""

    levels: int = Field(3, ge=1, le=MOST_LEVELS, description="codes per item")
    codebook_size: int | None = Field(
        None,
        ge=1,
        le=MOST_SIZE,
        description="codes per level; None: the smallest that leaves room for as many new items",
    )


class SequentialCodes(Numbered):
    """The sequential indexing of How to Index Item IDs (arXiv 2305.06569), a control without text.

    Items are numbered by their first appearance in the training histories, one user after the other, and the number is
    written in ``levels`` digits: items that a user met one after the other share prefixes, so the codes carry
    collaborative signal for nothing. Items that no training history holds come last, by id. Only training histories
    are read: the original P5 numbered test items too, which gives them away. Paths are distinct by construction.

    Example:
        >>> from genrec.data.histories import Histories
        >>> quantizer = SequentialCodes(SequentialSettings(levels=2, codebook_size=4))
        >>> items = ItemContext(list("abcdef"), train=Histories.from_lists([[3, 1], [5, 3]]))
        >>> quantizer.fit(np.zeros((6, 1), dtype=np.float32), seed=0, items=items)
        >>> quantizer.encode(np.zeros((6, 1), dtype=np.float32), items=items).tolist()
        [[0, 3], [0, 1], [1, 0], [0, 0], [1, 1], [0, 2]]
    """

    name: ClassVar[str] = "sequential"
    Config: ClassVar[type[Settings]] = SequentialSettings

    def __init__(self, settings: SequentialSettings | None = None) -> None:
        super().__init__()
        self.settings: SequentialSettings = settings or SequentialSettings()
        self._size = self.settings.codebook_size or 0

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level, known after fitting unless the settings give it."""
        return (self._size,) * self.settings.levels

    def fitted_sizes(self, rest: Mapping[str, Any]) -> tuple[int, ...]:
        """The sizes that were chosen when fitting."""
        return (int(rest["codebook_size"]),) * self.settings.levels

    def _learn(self, x: np.ndarray, items: ItemContext, seed: int) -> np.ndarray:
        levels = self.settings.levels
        self._size = self.settings.codebook_size or next(k for k in count(2) if k**levels >= 2 * len(x))
        met, first = np.unique(require_train(items, self.name).items, return_index=True)
        when = np.full(len(x), np.iinfo(np.int64).max)
        when[met] = first
        numbers = np.empty(len(x), dtype=np.int64)
        numbers[np.argsort(when, kind="stable")] = np.arange(len(x))
        return self._digits(numbers)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Hashes of the ids, the codes, and the size of a level."""
        return super().state()[0], {"codebook_size": self._size}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        super().load_state(tensors, rest)
        self._size = int(rest["codebook_size"])
