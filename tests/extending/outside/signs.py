"""A quantizer: codes from the signs of random projections (Charikar 2002, https://doi.org/10.1145/509907.509965)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.quantizers.base import ItemContext, Quantizer, check_vectors, not_fitted


class SignsSettings(Settings):
    """Settings of :class:`Signs`."""

    levels: int = Field(2, ge=1, description="codes per item")
    bits: int = Field(4, ge=1, le=16, description="projections whose signs are one code")


class Signs(Quantizer):
    """Every level is a number whose bits say on which side of some random planes a vector lies."""

    name: ClassVar[str] = "signs"
    Config: ClassVar[type[Settings]] = SignsSettings
    parallel: ClassVar[bool] = True

    def __init__(self, settings: SignsSettings | None = None) -> None:
        self.settings: SignsSettings = settings or SignsSettings()
        self._planes: np.ndarray | None = None  # (dim, levels * bits)
        self._middle: np.ndarray | None = None  # (dim,)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (2**self.settings.bits,) * self.settings.levels

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Draw planes through the middle of the vectors."""
        check_vectors(x)
        planes = np.random.default_rng(seed).normal(size=(x.shape[1], self.settings.levels * self.settings.bits))
        self._planes, self._middle = planes.astype(np.float32), x.mean(axis=0).astype(np.float32)

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """See :meth:`Quantizer.encode`."""
        if self._planes is None or self._middle is None:
            raise not_fitted(self.name)
        check_vectors(x, dim=len(self._middle))
        sides = ((x - self._middle) @ self._planes > 0).reshape(len(x), self.settings.levels, self.settings.bits)
        return (sides @ (2 ** np.arange(self.settings.bits))).astype(np.int32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Planes and middle."""
        if self._planes is None or self._middle is None:
            raise not_fitted(self.name)
        return {"planes": self._planes, "middle": self._middle}, {}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._planes, self._middle = tensors["planes"], tensors["middle"]
