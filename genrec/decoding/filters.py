"""Exact filters of one search: what a user must not get, or may get at all, pruned before it can take a beam.

A prefix survives as long as one allowed item is below it, so a search never runs into a dead end. Parts of the
catalogue that many users share are better searched in a trie of their own, see :mod:`genrec.decoding.subtries`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie


class Filter(Protocol):
    """Prunes children of beams."""

    def keep(self, level: int, nodes: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """Unset the children without an allowed item.

        Args:
            level: Level of the children.
            nodes: ``(users, beams)`` their parents.
            children: ``(users, beams, branching)`` from :meth:`DeviceTrie.children`, as is ``exists``.
            exists: ``(users, beams, branching)`` bool, not to be written to.

        Returns:
            ``exists`` without them.
        """

    def living(self, level: int, low: int, high: int) -> Tensor:
        """Whether an allowed item is below nodes ``low`` to ``high`` of a level, ``(users, high - low)`` bool."""


def make_filter(trie: DeviceTrie, forbidden: Tensor | None, allowed: Tensor | None) -> Filter | None:
    """The filter of one search.

    Args:
        trie: What is searched.
        forbidden: ``(users, n)`` int64 items that a user must not get, -1 for padding.
        allowed: ``(users, n)`` int64 items that a user may get, -1 for padding; None: all.
    """
    if allowed is not None:
        return AllowedItems(trie, allowed if forbidden is None else without(allowed, forbidden))
    return None if forbidden is None or not forbidden.shape[1] else ForbiddenItems(trie, forbidden)


def without(items: Tensor, others: Tensor) -> Tensor:
    """Items that are not among the user's others: ``(users, n)`` with -1 in their place."""
    if not others.shape[1]:
        return items
    return torch.where(contained(items, others.sort(dim=1).values), -1, items)


def contained(values: Tensor, sorted_rows: Tensor) -> Tensor:
    """Whether values are in the same row's set: ``(rows, n)`` in ``(rows, m)`` sorted, ``m >= 1``."""
    place = torch.searchsorted(sorted_rows, values.contiguous()).clamp_max(sorted_rows.shape[1] - 1)
    return sorted_rows.gather(1, place) == values


class ForbiddenItems:
    """Users' own deny lists (seen items, for instance): nodes whose every leaf is forbidden are dead.

    Args:
        trie: What is searched.
        items: ``(users, n)`` int64, -1 for padding; duplicates and items outside the trie do no harm.
    """

    def __init__(self, trie: DeviceTrie, items: Tensor) -> None:
        self.trie = trie
        leaves = trie.leaves_of(items).sort(dim=1).values
        again = torch.zeros_like(leaves, dtype=torch.bool)
        again[:, 1:] = leaves[:, 1:] == leaves[:, :-1]
        # Nodes stand in the order of their leaves, so all levels are sorted with the leaves.
        paths = torch.stack(
            trie.lineage(leaves.masked_fill_(again, -1).sort(dim=1).values), dim=1
        )  # (users, levels, n)
        counts, begins = trie.leaf_counts
        forbidden = torch.searchsorted(paths, paths, right=True) - torch.searchsorted(paths, paths)
        dead = (paths >= 0) & (forbidden >= counts.take(paths.clamp_min(0) + begins[:, None]))
        self._nodes = paths.unbind(1)
        self._parents = (torch.zeros_like(leaves), *self._nodes[:-1])
        self._dead = dead.unbind(1)
        self._some = dead.any(2).any(0).tolist()

    def keep(self, level: int, nodes: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """See :meth:`Filter.keep`. Works from the few dead nodes, not from the many children."""
        if not self._some[level]:
            return exists
        dead, parents = self._nodes[level], self._parents[level]
        held = (parents[:, :, None] == nodes[:, None, :]) & self._dead[level][:, :, None]  # (users, n, beams)
        user, entry, beam = held.nonzero(as_tuple=True)
        place = dead[user, entry] - self.trie.starts[level].take(parents[user, entry])
        return exists.index_put((user, beam, place), exists.new_zeros(()))

    def living(self, level: int, low: int, high: int) -> Tensor:
        """See :meth:`Filter.living`."""
        nodes = self._nodes[level]
        user, entry = (self._dead[level] & (nodes >= low) & (nodes < high)).nonzero(as_tuple=True)
        result = torch.ones(len(nodes), high - low, dtype=torch.bool, device=nodes.device)
        return result.index_put((user, nodes[user, entry] - low), result.new_zeros(()))


class AllowedItems:
    """Users' own allow lists: a node lives while one of them is below it.

    Args:
        trie: What is searched.
        items: ``(users, n)`` int64, -1 for padding; duplicates and items outside the trie do no harm.
    """

    def __init__(self, trie: DeviceTrie, items: Tensor) -> None:
        if not items.shape[1]:
            items = items.new_full((len(items), 1), -1)
        nodes = trie.paths(items).sort(dim=1).values
        self.live = [nodes[..., level].contiguous() for level in range(trie.n_levels)]

    def keep(self, level: int, nodes: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """See :meth:`Filter.keep`."""
        live = contained(children.flatten(1).long(), self.live[level])
        return exists & live.view(exists.shape)

    def living(self, level: int, low: int, high: int) -> Tensor:
        """See :meth:`Filter.living`."""
        live = self.live[level]
        return contained(torch.arange(low, high, device=live.device).expand(len(live), -1), live)
