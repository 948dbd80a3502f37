"""The trie as tensors on a device, with vectorised expansion of beams."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from genrec.errors import DataError
from genrec.trie import Trie

_WIDE_CODES = 1 << 16  # levels of at most so many nodes have their codes as indices at hand, too


class DeviceTrie:
    """Tensors of a :class:`~genrec.trie.Trie`, in its small integer types.

    A search state is one node number per beam. Children of a node are consecutive nodes of the next level, so a node's
    legal continuations are a range and the chosen child number is its new state.

    Args:
        trie: The catalogue's trie, or one of a part of it.
        device: Where to put the tensors.

    Attributes:
        codes: Per level ``(n_nodes,)``: last code of every prefix.
        starts: Per level ``(n_parents + 1,)``: children of node ``i`` of the level before (the root is node 0) are the
            nodes ``starts[level][i]:starts[level][i + 1]``.
        items: ``(n_items,)``: catalogue position of every leaf.
        branching: Per level, the largest number of children that one node has.

    Raises:
        DataError: The trie is empty.
    """

    def __init__(self, trie: Trie, device: torch.device | str = "cpu") -> None:
        if not trie.n_items:
            raise DataError("There are no items to decode.", expected="a trie of at least one item")
        self._trie, self.sizes = trie, trie.codebook_sizes
        self.device = torch.device(device)
        self.n_levels, self.n_items = trie.n_levels, trie.n_items
        self.branching = trie.max_branching
        self.codes = [self._tensor(code) for code in trie.code]
        self.starts = [self._tensor(np.array([0, len(trie.code[0])], dtype=np.int32))]
        self.starts += [self._tensor(first) for first in trie.first_child]
        self.items = self._tensor(trie.item)
        self._lookup = [code.long() if len(code) <= _WIDE_CODES else code for code in self.codes]
        self._shared = [self._codes_of_all(level) for level in range(self.n_levels)]
        self._true = torch.ones(1, 1, 1, dtype=torch.bool, device=self.device)
        self._spans = [start.unfold(0, 2, 1) for start in self.starts]  # a view: first child, and one past the last
        self._offsets = [torch.arange(most, dtype=torch.int32, device=self.device) for most in self.branching]

    def _tensor(self, array: np.ndarray) -> Tensor:
        array = np.asarray(array)
        return torch.from_numpy(array if array.flags.writeable else array.copy()).to(self.device)

    def _codes_of_all(self, level: int) -> Tensor | None:
        """Codes of the children of every node ``(n,)``, where all nodes of the level before have the same ones."""
        parents = len(self.starts[level]) - 1
        complete = len(self.codes[level]) == parents * self.sizes[level]
        return self._lookup[level][: self.branching[level]].long() if level == 0 or complete else None

    def children(self, level: int, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Legal continuations of beams.

        Args:
            level: Level of the children.
            nodes: ``(users, beams)`` nodes of the level before (the root is node 0 before level 0).

        Returns:
            Children, their codes (int64) and whether they exist, each ``(users, beams, branching)`` and not to be
            written to.
        """
        shared = self._shared[level]
        if shared is not None:
            shape = (*nodes.shape, len(shared))
            below = self._offsets[level]
            children = below.expand(shape) if level == 0 else nodes[..., None] * len(shared) + below
            return children, shared.expand(shape), self._true.expand(shape)
        span = self._spans[level].index_select(0, nodes.flatten()).view(*nodes.shape, 2)
        children = span[..., :1] + self._offsets[level]
        exists = children < span[..., 1:]
        children.clamp_max_(len(self.codes[level]) - 1)
        # index_select is several times faster here than an index in brackets
        codes = self._lookup[level].index_select(0, children.flatten()).view(children.shape)
        return children, codes.long(), exists

    def child(self, level: int, nodes: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The child with a code.

        Args:
            level: Level of the child.
            nodes: ``(...)`` int64 nodes of the level before.
            codes: ``(...)`` int64 codes; negative ones are no child's.

        Returns:
            ``(...)`` int64 children, any node where there is none, and whether there is one.
        """
        keys = self._keys[level]
        wanted = nodes * self.sizes[level] + codes
        place = torch.searchsorted(keys, wanted).clamp_max(len(keys) - 1)
        return place, (keys[place] == wanted) & (codes >= 0) & (codes < self.sizes[level])

    @cached_property
    def _keys(self) -> list[Tensor]:
        """Per level, parent and code of every node as one number; sorted, because the nodes are."""
        keys = []
        for level, (codes, start) in enumerate(zip(self.codes, self.starts, strict=True)):
            parents = torch.repeat_interleave(torch.arange(len(start) - 1, device=self.device), start.diff().long())
            keys.append(parents * self.sizes[level] + codes)
        return keys

    @cached_property
    def arrays(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """:attr:`starts` and :attr:`codes` of every level as arrays, of a trie on the CPU."""
        return [(starts.numpy(), codes.numpy()) for starts, codes in zip(self.starts, self.codes, strict=True)]

    def to(self, device: torch.device | str) -> DeviceTrie:
        """The same trie on another device."""
        return DeviceTrie(self._trie, device)

    def ancestors(self, nodes: Tensor, level: int, above: int) -> Tensor:
        """Nodes of level ``above`` that ``nodes`` of ``level`` stand under, of the same shape, int64."""
        for lower in range(level, above, -1):
            nodes = torch.searchsorted(self.starts[lower], nodes.to(torch.int32), right=True) - 1
        return nodes.long()

    def paths(self, items: Tensor) -> Tensor:
        """Nodes of items at every level.

        Args:
            items: ``(...)`` int64 catalogue positions.

        Returns:
            ``(..., n_levels)`` int64; -1 for items that the trie does not hold.
        """
        leaves = self.leaves_of(items)
        return torch.where(leaves[..., None] >= 0, torch.stack(self.lineage(leaves), dim=-1), -1)

    def leaves_of(self, items: Tensor) -> Tensor:
        """Leaves of items ``(...)``, int64 of the same shape; -1 for items that the trie does not hold."""
        known = (items >= 0) & (items < len(self.leaf_numbers))
        return torch.where(known, self.leaf_numbers.take(torch.where(known, items, 0)), -1).long()

    def lineage(self, leaves: Tensor) -> list[Tensor]:
        """Nodes of all levels above leaves ``(...)``, and the leaves, int64 of the same shape; -1 stays -1."""
        levels = [leaves]
        for level in range(self.n_levels - 1, 0, -1):
            levels.insert(0, self.ancestors(levels[0], level, level - 1))
        return levels

    @cached_property
    def leaf_numbers(self) -> Tensor:
        """Leaf of every catalogue position, ``(largest position + 1,)`` int32, -1 where it has none."""
        leaves = torch.full((int(self.items.max()) + 1,), -1, dtype=torch.int32, device=self.device)
        leaves[self.items.long()] = torch.arange(self.n_items, dtype=torch.int32, device=self.device)
        return leaves

    @cached_property
    def leaf_counts(self) -> tuple[Tensor, Tensor]:
        """:attr:`leaves` of all levels end to end, and where each level begins, ``(n_levels,)`` int64."""
        sizes = torch.tensor([len(count) for count in self.leaves], device=self.device)
        return torch.cat(self.leaves), sizes.cumsum(0) - sizes

    @cached_property
    def leaves(self) -> list[Tensor]:
        """Number of leaves under every node, one int32 tensor per level."""
        counts = [torch.ones_like(self.items)]
        for level in range(self.n_levels - 1, 0, -1):
            total = torch.cat([counts[0].new_zeros(1), counts[0].cumsum(0, dtype=torch.int32)])
            counts.insert(0, total[self.starts[level][1:]] - total[self.starts[level][:-1]])
        return counts

    @cached_property
    def first_leaves(self) -> list[Tensor]:
        """Per level, the first leaf under every node and the number of leaves, ``(n_nodes + 1,)`` int64."""
        return [torch.cat([count.new_zeros(1).long(), count.cumsum(0)]) for count in self.leaves]

    def items_of(self, leaves: Tensor, found: Tensor) -> Tensor:
        """Catalogue positions of leaves as int64, -1 where ``found`` is false."""
        return self.items.take(leaves).long().masked_fill_(~found, -1)
