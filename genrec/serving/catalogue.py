"""A catalogue to look at: items with their fields, search by words, and the tree of codes."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genrec.data.signs import mended
from genrec.recommender import Recommender
from genrec.schema import Columns

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex

_WORD = r"[\p{L}\p{N}]+"
_WORDS = re.compile(r"[^\W_]+")
_MOST_WORDS = 20
_LAST = "\U0010ffff"  # behind every sign


@dataclass(frozen=True)
class Words:
    """Which items have which words.

    Attributes:
        words: ``n_words`` distinct ones, sorted.
        starts: ``(n_words + 1,)`` int64: items of word ``w`` stand at ``starts[w]:starts[w + 1]``.
        items: ``(n,)`` int32 positions, sorted for every word.
    """

    words: list[str]
    starts: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, texts: list[str]) -> Words:
        """From one text an item."""
        column = pl.Series("word", texts).str.to_lowercase().str.extract_all(_WORD)
        rows = pl.DataFrame({"word": column, "item": np.arange(len(texts), dtype=np.int32)}).explode("word")
        rows = rows.drop_nulls().unique().sort("word", "item")
        counts = rows.group_by("word", maintain_order=True).len()
        starts = np.r_[0, np.cumsum(counts["len"].to_numpy())].astype(np.int64)
        return cls(counts["word"].to_list(), starts, rows["item"].to_numpy())

    def having(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """Items with a word that begins so, and those that have exactly this word: sorted positions."""
        low, high = bisect_left(self.words, word), bisect_left(self.words, word + _LAST)
        found = np.unique(self.items[self.starts[low] : self.starts[high]])
        same = low < len(self.words) and self.words[low] == word
        exact = self.items[self.starts[low] : self.starts[low + 1]] if same else found[:0]
        return found, exact


class CatalogueView:
    """The items of one version of a catalogue, as people and pages ask for them.

    Args:
        recommender: Of any kind; one without an index knows ids only.
    """

    def __init__(self, recommender: Recommender) -> None:
        self.item_ids, self._positions = recommender.item_ids, recommender.positions
        self.index: SemanticIndex | None = getattr(recommender, "index", None)

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def titles(self) -> list[str]:
        """What a person reads of every item."""
        return self.item_ids.tolist() if self.index is None else self.index.catalog.titles()

    def position(self, item_id: str) -> int | None:
        """Where an item stands; None: it is not in the catalogue."""
        return self._positions.get(item_id)

    def codes(self, item: int) -> list[int] | None:
        """The semantic ID of an item; None: there is no index."""
        return None if self.index is None else self.index.codes[item].tolist()

    def fields(self, item: int) -> dict[str, Any]:
        """Every field of an item but its id, None where it is empty."""
        if self.index is None:
            return {}
        row = self.index.catalog.frame.row(item, named=True)
        return {name: _plain(value) for name, value in row.items() if name != Columns.Item}

    def card(self, item: int, *, fields: bool = True) -> dict[str, Any]:
        """An item for an answer."""
        card = {"item_id": self.item_ids[item], "title": self.titles[item], "semantic_id": self.codes(item)}
        return {**card, "fields": self.fields(item)} if fields else card

    def search(self, query: str, limit: int, offset: int = 0) -> tuple[list[int], int]:
        """Items by words of their titles and by the beginning of their ids.

        Every word of the query must be there, or begin a word that is. The item with exactly this id comes first, then
        items with the whole words, then the others, each in the order of the catalogue.

        Args:
            query: Words.
            limit: At most so many.
            offset: That are left out before.

        Returns:
            Positions, and how many there are in all.
        """
        text = mended(query).strip()
        found, exact = self._by_words(text.lower())
        ids = self._ids_from(text)
        rest = found[~np.isin(found, exact)]
        same = self.position(text)
        first = np.array([] if same is None else [same], dtype=np.int32)
        ordered = np.concatenate([first, exact, rest, ids])
        _, place = np.unique(ordered, return_index=True)
        ordered = ordered[np.sort(place)]
        return ordered[offset : offset + limit].tolist(), len(ordered)

    def children(self, prefix: list[int], items: np.ndarray) -> list[tuple[int, int, int]]:
        """What follows a prefix in the tree of codes: code, number of items below it, and the first of them.

        Args:
            prefix: Codes, fewer than a semantic ID has.
            items: From :meth:`under`, at least one.
        """
        if self.index is None:
            return []
        codes = self.index.codes[items, len(prefix)]
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])  # items stand in the order of their codes
        counts = np.diff(np.r_[starts, len(codes)])
        return list(zip(codes[starts].tolist(), counts.tolist(), items[starts].tolist(), strict=True))

    def under(self, prefix: list[int]) -> np.ndarray | None:
        """Items whose codes begin so, ``(n,)`` positions in the order of their codes; None: there is no index."""
        if self.index is None:
            return None
        sizes = self.index.codebook_sizes
        if any(code >= size for code, size in zip(prefix, sizes, strict=False)):
            return np.zeros(0, dtype=np.int32)
        return self.index.trie.items_under(prefix)

    def prepare(self) -> None:
        """Make what the first request would wait for."""
        _ = self.titles, self._words, self._sorted_ids

    def _by_words(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        nothing = np.zeros(0, dtype=np.int32)
        words = _WORDS.findall(text)[:_MOST_WORDS]
        if not words:
            return nothing, nothing
        found, exact = self._words.having(words[0])
        for word in words[1:]:
            more, same = self._words.having(word)
            found, exact = np.intersect1d(found, more), np.intersect1d(exact, same)
        return found, exact

    def _ids_from(self, text: str) -> np.ndarray:
        ids, order = self._sorted_ids
        low, high = bisect_left(ids, text), bisect_left(ids, text + _LAST)
        return order[low:high] if text else order[:0]

    @cached_property
    def _words(self) -> Words:
        return Words.of(self.titles)

    @cached_property
    def _sorted_ids(self) -> tuple[list[str], np.ndarray]:
        order = np.argsort(self.item_ids, kind="stable").astype(np.int32)
        return self.item_ids[order].tolist(), order


def _plain(value: Any) -> Any:
    """A value that JSON can hold."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
