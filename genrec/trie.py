"""The set of valid code paths as flat sorted arrays: small, memory-mappable, quick to build and to walk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from genrec.artifacts import atomic_dir, read_manifest, read_whole, write_manifest
from genrec.errors import DataError
from genrec.wording import agree, count

_MANIFEST = "trie.json"


class Trie:
    """A trie over the code paths of a catalogue.

    Nodes of level ``l`` are the distinct prefixes of length ``l + 1`` in sorted order, so the children of a node are a
    contiguous range of the next level. The root is implicit: its children are all nodes of level 0. Every node has at
    least one child, every leaf (node of the last level) holds exactly one item.

    The layout is that of level-wise succinct tries; STATIC (arXiv 2602.22647) uses the same idea for
    generative retrieval.

    Attributes:
        codebook_sizes: Number of codes of every level.
        code: Per level ``(n_nodes_l,)`` unsigned or signed small integers: the last code of every prefix.
        first_child: Per level but the last ``(n_nodes_l + 1,)`` int32: children of node ``i`` of level ``l`` are the
            nodes ``first_child[l][i]:first_child[l][i + 1]`` of level ``l + 1``.
        item: ``(n_items,)`` int32: the catalogue position at every leaf.

    Example:
        >>> trie = Trie.from_codes(np.array([[1, 0], [0, 2], [1, 1]]), (2, 3))
        >>> trie.items_under([1]).tolist(), trie.find([[0, 2], [0, 0]]).tolist()
        ([0, 2], [1, -1])
    """

    def __init__(
        self,
        codebook_sizes: Sequence[int],
        code: Sequence[np.ndarray],
        first_child: Sequence[np.ndarray],
        item: np.ndarray,
    ) -> None:
        self.codebook_sizes = tuple(int(size) for size in codebook_sizes)
        self.code, self.first_child, self.item = list(code), list(first_child), item

    @classmethod
    def from_codes(cls, codes: np.ndarray, codebook_sizes: Sequence[int], *, items: np.ndarray | None = None) -> Trie:
        """Build by sorting the paths.

        Args:
            codes: ``(n_items, n_levels)`` integers.
            codebook_sizes: Number of codes of every level.
            items: ``(n_items,)`` catalogue positions of the rows; the row numbers when not given.

        Raises:
            DataError: No rows, a code out of range, or two rows with the same path.
        """
        codes = _checked(codes, codebook_sizes)
        order = sort_paths(codes, codebook_sizes)
        ordered = codes[order]
        same = (ordered[1:] == ordered[:-1]).all(axis=1)
        if same.any():
            first = int(np.flatnonzero(same)[0])
            raise DataError(
                f"{count(int(same.sum()), 'code path')} {agree(int(same.sum()), 'is', 'are')} not unique.",
                where=f"rows {int(order[first])} and {int(order[first + 1])}, both {ordered[first].tolist()}",
                expected="one path per item",
                hint="Use a disambiguation rule (recipe key 'disambiguation').",
            )
        positions = order if items is None else np.asarray(items)[order]
        return cls._from_sorted(ordered, positions.astype(np.int32), codebook_sizes)

    @classmethod
    def _from_sorted(cls, codes: np.ndarray, items: np.ndarray, codebook_sizes: Sequence[int]) -> Trie:
        n_items, n_levels = codes.shape
        code: list[np.ndarray] = []
        first_child: list[np.ndarray] = []
        new = np.zeros(n_items, dtype=bool)  # does a new prefix of this length start at this row?
        starts = np.zeros(0, dtype=np.int64)
        if n_items:
            new[0] = True
        for level in range(n_levels):
            column = codes[:, level]
            new[1:] |= column[1:] != column[:-1]
            previous, starts = starts, np.flatnonzero(new)
            code.append(column[starts].astype(_code_dtype(codebook_sizes[level])))
            if level:
                first_child.append(np.append(np.searchsorted(starts, previous), len(starts)).astype(np.int32))
        return cls(codebook_sizes, code, first_child, items)

    @property
    def n_levels(self) -> int:
        """Length of a path."""
        return len(self.codebook_sizes)

    @property
    def n_items(self) -> int:
        """Number of leaves."""
        return len(self.item)

    @property
    def n_nodes(self) -> tuple[int, ...]:
        """Number of nodes of every level."""
        return tuple(len(code) for code in self.code)

    @property
    def root_children(self) -> int:
        """Number of children of the root: all nodes of level 0."""
        return len(self.code[0])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.item.nbytes + sum(a.nbytes for a in self.code) + sum(a.nbytes for a in self.first_child)

    @cached_property
    def max_branching(self) -> tuple[int, ...]:
        """Largest number of children that one node has, for the root and for every level but the last."""
        return (self.root_children, *(int(np.diff(first).max(initial=0)) for first in self.first_child))

    @cached_property
    def _leaf_of(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.item, kind="stable").astype(np.int32)
        return order, self.item[order]

    def leaf_of(self, items: np.ndarray | int) -> np.ndarray:
        """Leaf number of catalogue positions, int32 of the same shape; -1 where the trie does not hold the item."""
        order, known = self._leaf_of
        items = np.asarray(items)
        if not len(known):
            return np.full(items.shape, -1, dtype=np.int32)
        # of the same type, else numpy converts the long side
        wanted = items.clip(-1, np.iinfo(known.dtype).max).astype(known.dtype)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == items, order[place], -1).astype(np.int32)

    def leaf_starts(self, level: int) -> np.ndarray:
        """First leaf under every node of a level, closed by ``n_items``: ``(n_nodes_l + 1,)`` int32.

        The leaves of node ``i`` are ``starts[i]:starts[i + 1]``.
        """
        starts = np.arange(len(self.code[level]) + 1, dtype=np.int32)
        for first in self.first_child[level:]:
            starts = first[starts]
        return starts

    def node_of(self, prefix: Sequence[int]) -> int:
        """Node of level ``len(prefix) - 1`` of a code prefix, or -1 where no item has it.

        Raises:
            DataError: The prefix is empty or longer than a path.
        """
        if not 0 < len(prefix) <= self.n_levels:
            raise DataError(
                f"A prefix of {count(len(prefix), 'code')}.", expected=f"1 to {count(self.n_levels, 'code')}"
            )
        node, low, high = -1, 0, self.root_children
        for level, wanted in enumerate(prefix):
            if level:
                low, high = (int(n) for n in self.first_child[level - 1][node : node + 2])
            node = low + int(np.searchsorted(self.code[level][low:high], wanted))
            if node >= high or self.code[level][node] != wanted:
                return -1
        return node

    def children(self, prefix: Sequence[int]) -> np.ndarray:
        """Codes that may follow a prefix (the empty one included), sorted int32; empty for an unknown prefix."""
        if len(prefix) == 0:
            return self.code[0].astype(np.int32)
        node = self.node_of(prefix)
        if node < 0 or len(prefix) == self.n_levels:
            return np.zeros(0, dtype=np.int32)
        low, high = self.first_child[len(prefix) - 1][node : node + 2]
        return self.code[len(prefix)][low:high].astype(np.int32)

    def items_under(self, prefix: Sequence[int]) -> np.ndarray:
        """Catalogue positions of the items whose path begins with a prefix, int32 in the order of their paths."""
        if len(prefix) == 0:
            return np.array(self.item)
        low = self.node_of(prefix)
        if low < 0:
            return np.zeros(0, dtype=np.int32)
        high = low + 1
        for first in self.first_child[len(prefix) - 1 :]:
            low, high = int(first[low]), int(first[high])
        return np.array(self.item[low:high])

    def find(self, paths: np.ndarray | Sequence[Sequence[int]]) -> np.ndarray:
        """Catalogue positions of whole paths, ``(n, n_levels) -> (n,)`` int32; -1 where no item has the path.

        Raises:
            DataError: The paths have another length.
        """
        paths = np.asarray(paths, dtype=np.int64)
        if paths.ndim != 2 or paths.shape[1] != self.n_levels:
            raise DataError(f"Paths of shape {paths.shape}.", expected=f"(n, {self.n_levels})")
        if not self.n_items:
            return np.full(len(paths), -1, dtype=np.int32)
        alive = ((paths >= 0) & (paths < np.array(self.codebook_sizes))).all(axis=1)
        node = np.zeros(len(paths), dtype=np.int64)
        parent = np.zeros(self.root_children, dtype=np.int64)
        for level, size in enumerate(self.codebook_sizes):
            if level:
                parent = np.repeat(np.arange(len(self.code[level - 1])), np.diff(self.first_child[level - 1]))
            keys = parent * size + self.code[level]  # sorted, one per node
            wanted = node * size + paths[:, level]
            node = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            alive &= keys[node] == wanted
        return np.where(alive, self.item[node], -1).astype(np.int32)

    def paths(self) -> np.ndarray:
        """Code path of every leaf, ``(n_items, n_levels)`` int32, sorted; row ``i`` belongs to ``item[i]``."""
        result = np.empty((self.n_items, self.n_levels), dtype=np.int32)
        for level, code in enumerate(self.code):
            result[:, level] = np.repeat(code, np.diff(self.leaf_starts(level)))
        return result

    def restrict(self, allowed: np.ndarray) -> Trie:
        """The trie of some of the items, with the same catalogue positions; may be empty.

        Args:
            allowed: Boolean mask over catalogue positions.
        """
        keep = np.asarray(allowed, dtype=bool)[self.item]
        return Trie._from_sorted(self.paths()[keep], self.item[keep], self.codebook_sizes)

    def save(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write the arrays as ``.npy`` files with a manifest, atomically."""
        with atomic_dir(folder, overwrite=overwrite) as work:
            for name, array in self._arrays().items():
                np.save(work / f"{name}.npy", array, allow_pickle=False)
            write_manifest(work, _MANIFEST, {"codebook_sizes": list(self.codebook_sizes)})

    @classmethod
    def load(cls, folder: Path | str, *, mmap: bool = True) -> Trie:
        """Read what :meth:`save` wrote, memory-mapped unless told otherwise.

        Raises:
            ArtifactError: Not a saved trie, or a file is missing or damaged.
        """
        folder = Path(folder)
        return read_whole(folder, "trie", lambda: cls._load(folder, mmap))

    @classmethod
    def _load(cls, folder: Path, mmap: bool) -> Trie:
        sizes = read_manifest(folder, _MANIFEST, "trie").numbers("codebook_sizes", least=1)

        def read(name: str) -> np.ndarray:
            return np.load(folder / f"{name}.npy", mmap_mode="r" if mmap else None, allow_pickle=False)

        levels = range(len(sizes))
        return cls(
            sizes, [read(f"code_{n}") for n in levels], [read(f"first_child_{n}") for n in levels[:-1]], read("item")
        )

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {f"code_{level}": array for level, array in enumerate(self.code)}
        arrays |= {f"first_child_{level}": array for level, array in enumerate(self.first_child)}
        return arrays | {"item": self.item}

    def __repr__(self) -> str:
        items = count(self.n_items, "item")
        return f"Trie({items}, levels {self.codebook_sizes}, nodes {self.n_nodes}, {count(self.nbytes, 'byte')})"


def _code_dtype(size: int) -> type[np.generic]:
    """Smallest integer type that torch can index and compare with."""
    if size <= 1 << 8:
        return np.uint8
    return np.int16 if size <= 1 << 15 else np.int32


def _checked(codes: np.ndarray, codebook_sizes: Sequence[int]) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] != len(codebook_sizes) or not codes.shape[1]:
        raise DataError(f"Codes of shape {codes.shape}.", expected=f"(n_items, {len(codebook_sizes)})")
    if not len(codes):
        raise DataError("There are no code paths.", expected="at least one item")
    if codes.dtype.kind not in "iu":
        raise DataError(f"Codes of type {codes.dtype}.", expected="integers")
    for level, size in enumerate(codebook_sizes):
        low, high = int(codes[:, level].min()), int(codes[:, level].max())
        if low < 0 or high >= size:
            raise DataError(
                f"Code {low if low < 0 else high} is out of range.", where=f"level {level}", expected=f"0 to {size - 1}"
            )
    return codes.astype(np.int32, copy=False)


def sort_paths(codes: np.ndarray, codebook_sizes: Sequence[int]) -> np.ndarray:
    """Row order that sorts paths, equal ones by row: ``(n_items, n_levels) -> (n_items,)`` int64.

    One 63-bit key of path and row where that fits, else a lexicographic sort.
    """
    bits = [max(1, int(size - 1).bit_length()) for size in codebook_sizes]
    row_bits = max(1, int(len(codes) - 1).bit_length())
    if sum(bits) + row_bits > 63:
        return np.lexsort(codes.T[::-1])
    key = np.zeros(len(codes), dtype=np.int64)
    for level, width in enumerate(bits):
        key <<= width
        key |= codes[:, level]
    key <<= row_bits
    key |= np.arange(len(codes))
    key.sort()
    return key & ((1 << row_bits) - 1)


def group_paths(codes: np.ndarray, codebook_sizes: Sequence[int]) -> np.ndarray:
    """Number of every row's path among the distinct paths in sorted order, ``(n_items,)`` int64.

    >>> group_paths(np.array([[1, 0], [0, 5], [1, 0]]), (2, 6)).tolist()
    [1, 0, 1]
    """
    order = sort_paths(codes, codebook_sizes)
    ordered = codes[order]
    new = np.zeros(len(codes), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    groups = np.empty(len(codes), dtype=np.int64)
    groups[order] = np.cumsum(new)
    return groups
