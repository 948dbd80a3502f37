"""The interface of the rules that make code paths unique."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from genrec.config import Settings, parse
from genrec.quantizers.base import Quantizer


@dataclass(frozen=True)
class QuantizedItems:
    """What a rule may look at. Rows are in the order of their item ids, so that shuffled tables give the same paths.

    Attributes:
        item_ids: ``(n,)`` object array of str, sorted.
        codes: ``(n, quantizer_levels)`` int32, as the quantizer placed them.
        codebook_sizes: Of the quantizer's levels.
        vectors: ``(n, dim)`` float32, as quantized.
        quantizer: The fitted quantizer.
        popularity: ``(n,)`` int64 interactions in the training part, or None.
    """

    item_ids: np.ndarray
    codes: np.ndarray
    codebook_sizes: tuple[int, ...]
    vectors: np.ndarray
    quantizer: Quantizer
    popularity: np.ndarray | None = None


class Disambiguation(ABC):
    """Turns the quantizer's codes into unique paths.

    :meth:`fit` once for a new catalogue, then :meth:`resolve` for it and for every batch of items added later.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Settings]]
    moves: ClassVar[bool] = False
    """Whether the rule may change the quantizer's codes; else it only adds a level."""

    settings: Settings

    @classmethod
    def from_settings(cls, content: Mapping[str, Any]) -> Self:
        """Build from plain settings, with unknown keys refused.

        Raises:
            ConfigError: A key is unknown or a value is wrong.
        """
        return cls(parse(cls.Config, content, where="disambiguation"))  # type: ignore[call-arg]

    @abstractmethod
    def fit(self, items: QuantizedItems) -> None:
        """Choose what must stay fixed for the life of the index, such as the size of a level.

        Raises:
            DataError: The settings leave no room for the items; names the remedy.
        """

    def room(self, paths: int) -> int | None:
        """Most items that can have paths of their own, given the quantizer's number of paths; None: as many as come.

        It is known before anything is fitted, so that a code space that is too small is refused at once.
        """
        return paths if self.moves else None

    @abstractmethod
    def codebook_sizes(self, quantizer_sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of all levels of a path, given those of the quantizer."""

    @abstractmethod
    def resolve(self, items: QuantizedItems, published: np.ndarray | None = None) -> np.ndarray:
        """Unique paths of items.

        Args:
            items: The items to place.
            published: ``(n_published, n_levels)`` int32 paths that are taken and never move.

        Returns:
            ``(n, n_levels)`` int32, distinct from each other and from ``published``.

        Raises:
            DataError: No free path is left where one is needed; names the remedy.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """JSON-able values chosen by :meth:`fit`."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
