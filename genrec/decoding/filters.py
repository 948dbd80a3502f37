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
            exists: ``(users, beams, branching)`` bool.

        Returns:
            ``exists`` without them.
        """


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
        ordered = items.sort(dim=1).values
        repeated = torch.zeros_like(ordered, dtype=torch.bool)
        repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        paths = trie.paths(torch.where(repeated, -1, ordered))
        self.dead = [self._dead(level, paths[..., level]) for level in range(trie.n_levels)]

    def _dead(self, level: int, nodes: Tensor) -> Tensor:
        """Nodes that have as many forbidden leaves as leaves, ``(users, n)``, -1 elsewhere."""
        nodes = nodes.sort(dim=1).values
        first = torch.searchsorted(nodes, nodes, right=False)
        last = torch.searchsorted(nodes, nodes, right=True)
        dead = (nodes >= 0) & (last - first >= self.trie.leaves[level][nodes.clamp_min(0)])
        return torch.where(dead, nodes, -1)

    def keep(self, level: int, nodes: Tensor, children: Tensor, exists: Tensor) -> Tensor:
        """See :meth:`Filter.keep`. Works from the few dead nodes, not from the many children."""
        dead = self.dead[level]
        start = self.trie.starts[level]
        parents = torch.searchsorted(start, dead.clamp_min(0).to(torch.int32), right=True) - 1
        held = (parents[:, :, None] == nodes[:, None, :]) & (dead >= 0)[:, :, None]  # (users, n, beams)
        user, entry, beam = held.nonzero(as_tuple=True)
        exists = exists.clone()
        exists[user, beam, dead[user, entry] - start[nodes[user, beam]]] = False
        return exists


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
