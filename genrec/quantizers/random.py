"""Random codes: the control that shows what learned codes are worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.errors import DataError
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE, ItemContext, Quantizer, check_vectors
from genrec.wording import count


class RandomCodesSettings(Settings):
    """Settings of :class:`RandomCodes`."""

    levels: int = Field(3, ge=1, le=MOST_LEVELS, description="codes per item")
    codebook_size: int = Field(256, ge=1, le=MOST_SIZE, description="codes per level")


class RandomCodes(Quantizer):
    """Codes from a hash of the item id: the random indexing of How to Index Item IDs (arXiv 2305.06569).

    The codes depend on the seed and the id alone, so they carry nothing of the item's content, do not change when the
    catalogue is shuffled, and exist for items that come later. Without ids the vectors' bytes are hashed instead
    (equal vectors then share their codes).

    Example:
        >>> quantizer = RandomCodes()
        >>> quantizer.fit(np.zeros((2, 1), dtype=np.float32), seed=0)
        >>> codes = quantizer.encode(np.zeros((2, 1), dtype=np.float32), items=ItemContext(["a", "b"]))
        >>> bool((codes[0] == codes[1]).all())
        False
    """

    name: ClassVar[str] = "random"
    Config: ClassVar[type[Settings]] = RandomCodesSettings

    def __init__(self, settings: RandomCodesSettings | None = None) -> None:
        self.settings: RandomCodesSettings = settings or RandomCodesSettings()
        self._seed = 0

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (self.settings.codebook_size,) * self.settings.levels

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Only remembers the seed."""
        check_vectors(x)
        self._seed = seed

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Hash ids (or vectors) to codes; see :meth:`Quantizer.encode`."""
        check_vectors(x)
        if items is not None and len(items.item_ids) != len(x):
            raise DataError(f"{count(len(x), 'vector')} but {count(len(items.item_ids), 'item id')}.")
        salt = f"{self._seed}|".encode()
        levels = self.settings.levels
        keys = (
            (np.ascontiguousarray(row, dtype=np.float32).tobytes() for row in x)
            if items is None
            else (str(item).encode() for item in items.item_ids)
        )
        digests = b"".join(hashlib.shake_128(salt + key).digest(8 * levels) for key in keys)
        numbers = np.frombuffer(digests, dtype="<u8").reshape(len(x), levels)
        return (numbers % np.uint64(self.settings.codebook_size)).astype(np.int32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The seed."""
        return {}, {"seed": self._seed}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._seed = int(rest["seed"])
