"""Rules that make every item's code path unique, so that items which collide in the quantizer all stay reachable.

A further rule (Sinkhorn at the last level, the nearest free code, a suffix only where needed) is one class here.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from genrec.config import Settings, parse
from genrec.errors import ConfigError, DataError, unknown_name
from genrec.quantizers.base import Quantizer
from genrec.trie import group_paths

logger = logging.getLogger(__name__)

_CROWDED = 256


@dataclass(frozen=True)
class QuantizedItems:
    """What a rule may look at. Rows are in the order of their item ids, so that shuffled tables give the same paths.

    Attributes:
        item_ids: ``(n,)`` object array of str, sorted.
        codes: ``(n, quantizer_levels)`` int32.
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


class SuffixSettings(Settings):
    """Settings of :class:`Suffix`."""

    capacity: int | None = Field(
        None, ge=1, description="codes of the extra level; None: twice the largest group, at least 16, a power of two"
    )
    order: Literal["popularity", "id"] = Field(
        "popularity", description="who comes first in a group: the more popular item (where known), or the smaller id"
    )


class Suffix(Disambiguation):
    """One more level that counts the items of a collision group, as in TIGER (arXiv 2305.05065).

    Code 0 goes to the most popular item of the group (MMGRec, arXiv 2404.16555); ties, and groups without known
    popularity, go by item id. Items added later take the next numbers, so published paths stay; the level has room.

    Example:
        >>> Suffix(SuffixSettings(capacity=8)).codebook_sizes((256, 256))
        (256, 256, 8)
    """

    name: ClassVar[str] = "suffix"
    Config: ClassVar[type[Settings]] = SuffixSettings

    def __init__(self, settings: SuffixSettings | None = None) -> None:
        self.settings: SuffixSettings = settings or SuffixSettings()
        self._capacity = self.settings.capacity or 0

    def fit(self, items: QuantizedItems) -> None:
        """Fix the size of the extra level; see :meth:`Disambiguation.fit`."""
        sizes = np.bincount(group_paths(items.codes, items.codebook_sizes))
        largest = int(sizes.max())
        if largest > _CROWDED:
            logger.warning(
                "%d items share one code path before disambiguation: are their texts or vectors the same?", largest
            )
        self._capacity = self.settings.capacity or max(16, 1 << (2 * largest - 1).bit_length())
        if largest > self._capacity:
            raise DataError(
                f"{largest} items share one code path, but the suffix level has {self._capacity} codes.",
                where="disambiguation.capacity",
                expected=f"at least {largest}",
                hint="Raise disambiguation.capacity or leave it out, or separate the items better: more quantizer "
                "levels, larger codebooks, or more text per item.",
            )

    def codebook_sizes(self, quantizer_sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The quantizer's sizes and the size of the suffix level."""
        return (*quantizer_sizes, self._capacity)

    def resolve(self, items: QuantizedItems, published: np.ndarray | None = None) -> np.ndarray:
        """Number the items of every group; see :meth:`Disambiguation.resolve`."""
        n = len(items.codes)
        if published is None:
            published = np.empty((0, items.codes.shape[1] + 1), dtype=np.int32)
        groups = group_paths(np.concatenate([items.codes, published[:, :-1]]), items.codebook_sizes)
        taken = np.zeros(len(groups), dtype=np.int64)  # per group: the first free number
        np.maximum.at(taken, groups[n:], published[:, -1].astype(np.int64) + 1)
        groups = groups[:n]
        if self.settings.order == "popularity" and items.popularity is not None:
            order = np.lexsort((-items.popularity, groups))
        else:
            order = np.argsort(groups, kind="stable")
        new = np.r_[True, groups[order][1:] != groups[order][:-1]]
        starts = np.maximum.accumulate(np.where(new, np.arange(n), 0))
        suffix = np.empty(n, dtype=np.int64)
        suffix[order] = np.arange(n) - starts + taken[groups[order]]
        self._check_room(items, suffix)
        return np.column_stack([items.codes, suffix.astype(np.int32)])

    def _check_room(self, items: QuantizedItems, suffix: np.ndarray) -> None:
        full = np.flatnonzero(suffix >= self._capacity)
        if not len(full):
            return
        row = int(full[0])
        raise DataError(
            f"{len(full)} items find their collision group full: the suffix level has {self._capacity} codes.",
            where=f"item {items.item_ids[row]!r}, codes {items.codes[row].tolist()}",
            expected=f"at most {self._capacity} items with the same codes",
            hint="Build the index again with a larger disambiguation.capacity (this moves published semantic IDs), "
            "or add fewer items with the same text.",
        )

    def state(self) -> dict[str, Any]:
        """The size of the suffix level."""
        return {"capacity": self._capacity}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._capacity = int(state["capacity"])


RULES: dict[str, type[Disambiguation]] = {cls.name: cls for cls in (Suffix,)}
"""Rules by name; a new one is one class and one name here."""


def build_disambiguation(content: Mapping[str, Any]) -> Disambiguation:
    """A rule from the ``disambiguation`` part of a recipe.

    Args:
        content: ``{"name": "suffix", **settings}``.

    Raises:
        ConfigError: No name, an unknown name (the nearest known one is suggested), or a wrong setting.
    """
    name = content.get("name")
    if name is None:
        raise ConfigError(
            "The disambiguation has no name.", where="disambiguation.name", expected="one of " + ", ".join(RULES)
        )
    if name not in RULES:
        raise unknown_name("disambiguation", str(name), RULES, where="disambiguation.name")
    return RULES[name].from_settings({k: v for k, v in content.items() if k != "name"})
