"""A further level that numbers the items of a collision group."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.disambiguation.base import Disambiguation, QuantizedItems
from genrec.disambiguation.free import free_paths
from genrec.errors import DataError
from genrec.trie import group_paths
from genrec.wording import agree, count

logger = logging.getLogger(__name__)

_CROWDED = 256


class SuffixSettings(Settings):
    """Settings of :class:`Suffix`."""

    capacity: int | None = Field(
        None, ge=1, description="codes of the extra level; None: twice the largest group, at least 16, a power of two"
    )
    when: Literal["always", "needed"] = Field(
        "always",
        description="always: every catalogue gets the level; needed: only one with collisions, where 0 says 'alone'",
    )
    order: Literal["popularity", "id"] = Field(
        "popularity", description="who comes first in a group: the more popular item (where known), or the smaller id"
    )


class Suffix(Disambiguation):
    """One more level that counts the items of a collision group, as in TIGER (arXiv 2305.05065).

    Code 0 goes to the most popular item of the group (MMGRec, arXiv 2404.16555); ties, and groups without known
    popularity, go by item id. Items added later take the next numbers, so published paths stay; the level has room.

    Search and models work on paths of one length, so ``when: needed`` cannot mean paths of different lengths. It means:
    a catalogue without collisions gets no further level at all, and its semantic IDs are one code shorter. In a
    catalogue with collisions every path has the level; there 0 is kept for items that were alone when they were
    published (so the code follows from the ones before it, and search that normalises over children, see
    :data:`genrec.decoding.normalize.Normalize`, gets it for nothing), and groups count from 1. Where there is no such
    level, new items that collide move to the nearest free path instead, see
    :class:`genrec.disambiguation.nearest_free.NearestFree`.

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
        if self.settings.when == "needed":
            if largest == 1:
                self._capacity = 0
                return
            largest += 1  # the code of those that are alone
        if largest > _CROWDED:
            logger.warning(
                "%d items share one code path before disambiguation: are their texts or vectors the same?", sizes.max()
            )
        self._capacity = self.settings.capacity or max(16, 1 << (2 * largest - 1).bit_length())
        if largest > self._capacity:
            raise DataError(
                f"{count(sizes.max(), 'item')} share one code path, but the suffix level has "
                f"{count(self._capacity, 'code')}.",
                where="disambiguation.capacity",
                expected=f"at least {largest}",
                hint="Raise disambiguation.capacity or leave it out, or separate the items better: more quantizer "
                "levels, larger codebooks, or more text per item.",
            )

    def room(self, paths: int) -> int | None:
        """The paths as often as ``capacity``, where that is given."""
        return None if self.settings.capacity is None else paths * self.settings.capacity

    def codebook_sizes(self, quantizer_sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The quantizer's sizes and the size of the suffix level, where there is one."""
        return (*quantizer_sizes, self._capacity) if self._capacity else quantizer_sizes

    def resolve(self, items: QuantizedItems, published: np.ndarray | None = None) -> np.ndarray:
        """Number the items of every group; see :meth:`Disambiguation.resolve`."""
        n, depth = items.codes.shape
        if not self._capacity:
            return self._without_level(items, published)
        if published is None:
            published = np.empty((0, depth + 1), dtype=np.int32)
        groups = group_paths(np.concatenate([items.codes, published[:, :-1]]), items.codebook_sizes)
        taken = np.zeros(len(groups), dtype=np.int64)  # per group: the first free number
        np.maximum.at(taken, groups[n:], published[:, -1].astype(np.int64) + 1)
        if self.settings.when == "needed":
            np.maximum(taken, np.bincount(groups, minlength=len(groups)) > 1, out=taken)
        groups = groups[:n]
        order = self._order(items, groups)
        new = np.r_[True, groups[order][1:] != groups[order][:-1]]
        starts = np.maximum.accumulate(np.where(new, np.arange(n), 0))
        suffix = np.empty(n, dtype=np.int64)
        suffix[order] = np.arange(n) - starts + taken[groups[order]]
        self._check_room(items, suffix)
        return np.column_stack([items.codes, suffix.astype(np.int32)])

    def _order(self, items: QuantizedItems, groups: np.ndarray) -> np.ndarray:
        """Rows group by group, in the order in which they are numbered."""
        if self.settings.order == "popularity" and items.popularity is not None:
            return np.lexsort((-items.popularity, groups))
        return np.argsort(groups, kind="stable")

    def _without_level(self, items: QuantizedItems, published: np.ndarray | None) -> np.ndarray:
        """The quantizer's own paths; new items whose path is taken move to the nearest free one."""
        taken = np.empty((0, items.codes.shape[1]), dtype=np.int32) if published is None else published
        groups = group_paths(np.concatenate([taken, items.codes]), items.codebook_sizes)
        _, first = np.unique(groups, return_index=True)
        rows = np.setdiff1d(np.arange(len(groups)), first) - len(taken)
        codes, stay = items.codes.copy(), np.ones(len(items.codes), dtype=bool)
        stay[rows] = False
        codes[rows] = free_paths(items, rows, np.concatenate([taken, codes[stay]]))
        return codes

    def _check_room(self, items: QuantizedItems, suffix: np.ndarray) -> None:
        full = np.flatnonzero(suffix >= self._capacity)
        if not len(full):
            return
        row = int(full[0])
        raise DataError(
            f"{count(len(full), 'item')} {agree(len(full), 'finds its', 'find their')} collision group "
            f"full: the suffix level has {count(self._capacity, 'code')}.",
            where=f"item {items.item_ids[row]!r}, codes {items.codes[row].tolist()}",
            expected=f"at most {count(self._capacity, 'item')} with the same codes",
            hint="Build the index again with a larger disambiguation.capacity (this moves published semantic IDs), "
            "or add fewer items with the same text.",
        )

    def state(self) -> dict[str, Any]:
        """The size of the suffix level, 0 where there is none."""
        return {"capacity": self._capacity}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._capacity = int(state["capacity"])
