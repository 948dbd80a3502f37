"""The trie as tensors on a device, with vectorised expansion of beams and exact pruning of forbidden leaves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec.trie import Trie


class DeviceTrie:
    """Tensors of a :class:`~genrec.trie.Trie`.

    A search state is one node number per beam. Children of a node are consecutive nodes of the next level, so a node's
    legal continuations are a range and the chosen child number is its new state.

    Args:
        trie: The catalogue's trie.
        device: Where to put the tensors.
    """

    def __init__(self, trie: Trie, device: torch.device | str = "cpu") -> None:
        self.n_levels = trie.n_levels
        self.n_items = trie.n_items
        self.codes = [torch.from_numpy(np.asarray(code, dtype=np.int64)).to(device) for code in trie.code]
        starts = [np.array([0, len(trie.code[0])]), *trie.first_child]
        self.starts = [torch.from_numpy(np.asarray(start, dtype=np.int64)).to(device) for start in starts]
        self.items = torch.from_numpy(np.asarray(trie.item, dtype=np.int64)).to(device)
        self.branching = [int((start[1:] - start[:-1]).max()) for start in self.starts]
        self.leaves = self._count_leaves()
        self.paths = self._paths()
        self.device = torch.device(device)

    def _count_leaves(self) -> list[Tensor]:
        """Number of leaves under every node, one tensor per level."""
        counts = [torch.ones(len(self.codes[-1]), dtype=torch.int64, device=self.items.device)]
        for level in range(self.n_levels - 2, -1, -1):
            total = torch.cat([counts[0].new_zeros(1), counts[0].cumsum(0)])
            start = self.starts[level + 1]
            counts.insert(0, total[start[1:]] - total[start[:-1]])
        return counts

    def _paths(self) -> Tensor:
        """Node of every item at every level, ``(n_items, n_levels)``."""
        nodes = torch.arange(len(self.codes[-1]), device=self.items.device)
        columns = [nodes]
        for level in range(self.n_levels - 1, 0, -1):
            nodes = torch.searchsorted(self.starts[level], nodes, right=True) - 1
            columns.insert(0, nodes)
        paths = torch.empty(self.n_items, self.n_levels, dtype=torch.int64, device=self.items.device)
        paths[self.items] = torch.stack(columns, dim=1)
        return paths

    def children(self, level: int, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Legal continuations of beams.

        Args:
            level: Level of the children.
            nodes: ``(users, beams)`` nodes of the level before (the root is node 0 before level 0).

        Returns:
            Children, their codes and whether they exist, each ``(users, beams, branching)``.
        """
        start = self.starts[level]
        first, stop = start[nodes], start[nodes + 1]
        children = first[..., None] + torch.arange(self.branching[level], device=nodes.device)
        exists = children < stop[..., None]
        children = children.clamp_max(len(self.codes[level]) - 1)
        return children, self.codes[level][children], exists

    def dead_nodes(self, forbidden: Tensor) -> list[Tensor]:
        """Nodes whose every leaf is forbidden for a user.

        Args:
            forbidden: ``(users, n)`` int64 catalogue positions, -1 for padding; duplicates are allowed.

        Returns:
            Per level ``(users, n)`` nodes, -1 where none.
        """
        ordered = forbidden.sort(dim=1).values
        repeated = torch.zeros_like(ordered, dtype=torch.bool)
        repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        real = (ordered >= 0) & ~repeated
        result = []
        for level in range(self.n_levels):
            nodes = torch.where(real, self.paths[ordered.clamp_min(0), level], -1)
            nodes = nodes.sort(dim=1).values
            # In a sorted row, a node is dead when as many entries equal it as it has leaves.
            first = torch.searchsorted(nodes, nodes, right=False)
            last = torch.searchsorted(nodes, nodes, right=True)
            dead = (nodes >= 0) & (last - first >= self.leaves[level][nodes.clamp_min(0)])
            result.append(torch.where(dead, nodes, -1))
        return result

    def forbid(self, level: int, nodes: Tensor, exists: Tensor, dead: Tensor) -> Tensor:
        """Unset the children that are dead.

        Args:
            level: Level of the children.
            nodes: ``(users, beams)`` parents; distinct inside a user.
            exists: ``(users, beams, branching)`` from :meth:`children`.
            dead: ``(users, n)`` from :meth:`dead_nodes` at this level.

        Returns:
            ``exists`` without dead children.
        """
        if level == 0:
            parents = torch.zeros_like(dead)
        else:
            parents = torch.searchsorted(self.starts[level], dead.clamp_min(0), right=True) - 1
        held = (parents[:, :, None] == nodes[:, None, :]) & (dead >= 0)[:, :, None]  # (users, n, beams)
        user, entry, beam = held.nonzero(as_tuple=True)
        offset = dead[user, entry] - self.starts[level][nodes[user, beam]]
        exists = exists.clone()
        exists[user, beam, offset] = False
        return exists
