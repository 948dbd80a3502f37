"""What the quantizers share that give codes to items rather than to vectors."""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.errors import DataError
from genrec.quantizers.base import ItemContext, Quantizer, check_vectors, not_fitted
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.histories import Histories


class ItemTable(Quantizer):
    """A quantizer that remembers the codes of the items it was fitted on, by their ids.

    Subclasses work the codes out in :meth:`_learn`, and say in :meth:`_unknown` what other items get.
    """

    def __init__(self) -> None:
        self._keys: np.ndarray | None = None  # (n,) uint64 hashes of the ids, sorted
        self._codes = np.empty((0, 0), dtype=np.int32)  # (n, n_levels)

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Work out and remember the codes of the items; see :meth:`Quantizer.fit`."""
        check_vectors(x)
        context = self._context(x, items)
        codes, keys = self._learn(x, context, seed), hash_ids(context.item_ids)
        order = np.argsort(keys, kind="stable")
        self._keys, self._codes = keys[order], codes[order].astype(np.int32)

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """The remembered codes; what other items get depends on the method. See :meth:`Quantizer.encode`."""
        if self._keys is None:
            raise not_fitted(self.name)
        check_vectors(x)
        context = self._context(x, items)
        keys = hash_ids(context.item_ids)
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[rows] == keys
        codes = self._codes[rows]
        if not known.all():
            codes[~known] = self._unknown(np.asarray(x)[~known], len(self._keys))
        return codes

    @abstractmethod
    def _learn(self, x: np.ndarray, items: ItemContext, seed: int) -> np.ndarray:
        """Codes of the items to fit on, ``(n, n_levels)``."""

    @abstractmethod
    def _unknown(self, x: np.ndarray, fitted: int) -> np.ndarray:
        """Codes of items that are not in the table, ``(n, dim) -> (n, n_levels)``."""

    def _context(self, x: np.ndarray, items: ItemContext | None) -> ItemContext:
        if items is None:
            raise DataError(
                f"The quantizer '{self.name}' gives codes to items, not to vectors, and got no items.",
                expected="items=ItemContext(...)",
            )
        if len(items.item_ids) != len(x):
            raise DataError(f"{count(len(x), 'vector')} but {count(len(items.item_ids), 'item id')}.")
        return items

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Hashes of the ids and the codes."""
        if self._keys is None:
            raise not_fitted(self.name)
        return {"keys": self._keys, "codes": self._codes}, {}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._keys, self._codes = np.asarray(tensors["keys"]), np.asarray(tensors["codes"])


class Numbered(ItemTable):
    """Items numbered one after the other, the number written in codes; new items take the next numbers."""

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """The remembered codes; other items get the next numbers in their order. See :meth:`Quantizer.encode`."""
        return super().encode(x, items=items)

    def room(self) -> int | None:
        """One item for every path, where the settings give the number of codes."""
        return math.prod(self.codebook_sizes) or None

    def place(
        self, x: np.ndarray, *, items: ItemContext | None = None, published: np.ndarray | None = None
    ) -> np.ndarray:
        """The numbers after the highest published one; see :meth:`Quantizer.place`."""
        if published is None or not len(published):
            return self.encode(x, items=items)
        first = int(numbers_of(published, self.codebook_sizes).max()) + 1
        return self._digits(first + np.arange(len(x)))

    def _unknown(self, x: np.ndarray, fitted: int) -> np.ndarray:
        return self._digits(fitted + np.arange(len(x)))

    def _digits(self, numbers: np.ndarray) -> np.ndarray:
        total = int(np.prod([float(size) for size in self.codebook_sizes]))
        if len(numbers) and int(numbers.max()) >= total:
            raise DataError(
                f"The quantizer '{self.name}' has {count(total, 'path')}, too few for "
                f"{count(int(numbers.max()) + 1, 'item')}.",
                where="quantizer.codebook_size",
                expected=f"codebook sizes whose product is at least {int(numbers.max()) + 1:,}",
                hint="Build the index with more levels or a larger codebook_size.",
            )
        return digits(numbers, self.codebook_sizes)


def require_train(items: ItemContext, name: str) -> Histories:
    """The training histories.

    Raises:
        DataError: There are none.
    """
    if items.train is None:
        raise DataError(
            f"The quantizer '{name}' learns from interactions, and none were given.",
            where="quantizer.name",
            expected="training histories",
            hint="Give interactions, such as genrec index build --interactions FILE (train=... in Python), or choose a "
            "quantizer that reads only vectors.",
        )
    return items.train


def require_catalog(items: ItemContext | None, name: str) -> Catalog:
    """The items with their fields.

    Raises:
        DataError: There are none.
    """
    if items is None or items.catalog is None:
        raise DataError(f"The quantizer '{name}' reads fields of the items, and got none.", expected="a catalogue")
    return items.catalog


def hash_ids(ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """64-bit hashes of ids, ``(n,)`` uint64."""
    digests = b"".join(hashlib.blake2b(str(item).encode(), digest_size=8).digest() for item in ids)
    return np.frombuffer(digests, dtype="<u8").copy()


def digits(numbers: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Numbers written in mixed radix, the leading digit first, so that near numbers share prefixes.

    >>> digits(np.array([0, 5, 6]), (4, 5)).tolist()
    [[0, 0], [1, 0], [1, 1]]
    """
    rest, codes = np.asarray(numbers, dtype=np.int64), np.empty((len(numbers), len(sizes)), dtype=np.int32)
    for level in range(len(sizes) - 1, -1, -1):
        rest, codes[:, level] = np.divmod(rest, sizes[level])
    return codes


def numbers_of(codes: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """The inverse of :func:`digits`, ``(n, n_levels) -> (n,)`` int64."""
    numbers = np.zeros(len(codes), dtype=np.int64)
    for level, size in enumerate(sizes):
        numbers = numbers * size + codes[:, level]
    return numbers
