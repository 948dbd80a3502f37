"""Scores of items that are added to the model's: corrections of popularity, transition counts, business boosts.

A prefix gets the best prior that is below it. So a search that orders its beams by score plus prior never underrates an
item, and does not lose a boosted one behind a prefix that the model alone finds unlikely.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from genrec.decoding.cpu_kernels import best_below
from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import DataError
from genrec.wording import count


class ItemPrior(Protocol):
    """Item scores that a search adds to the model's, exactly at the leaves and never too low above them."""

    def add(self, level: int, nodes: Tensor, children: Tensor, scores: Tensor) -> Tensor:
        """What candidates are ordered by.

        Args:
            level: Level of the children.
            nodes: ``(users, beams)`` their parents.
            children: ``(users, beams, branching)`` from :meth:`DeviceTrie.children`.
            scores: Of the model, of the same shape, -inf where there is no child.

        Returns:
            The scores plus the upper bound of the prior below every child.
        """

    def add_to_items(self, scores: Tensor) -> Tensor:
        """Scores of all items ``(users, n)`` by catalogue position, plus their prior."""


class PriorBounds:
    """A prior with a number for every item: the same for all users, or one row a user.

    Args:
        trie: What is searched.
        scores: ``(n_items,)`` or ``(users, n_items)`` by catalogue position; -inf forbids an item.
        weight: Factor on the scores.

    Attributes:
        scores: The weighted scores.

    Raises:
        DataError: The scores are of another catalogue, or one is NaN or +inf.
    """

    def __init__(self, trie: DeviceTrie, scores: Tensor, weight: float = 1.0) -> None:
        scores = scores.to(trie.device, torch.float32)
        if scores.dim() not in (1, 2) or scores.shape[-1] <= int(trie.items.max()):
            raise DataError(
                f"Item scores of shape {tuple(scores.shape)}.",
                expected=f"one score for each of at least {count(int(trie.items.max()) + 1, 'catalogue item')}",
            )
        highest = scores.max() if len(scores) else scores.new_zeros(())  # NaN if there is any
        if bool(highest.isnan() | (highest == torch.inf)):
            raise DataError("An item score is NaN or +inf.", expected="finite numbers, or -inf to forbid an item")
        # -inf times a weight of zero would be NaN.
        self.scores = scores if weight == 1 else torch.where(scores == -torch.inf, scores, scores * weight)
        self._trie = trie

    @cached_property
    def bounds(self) -> list[Tensor]:
        """Per level ``(n_nodes,)`` or ``(users, n_nodes)``: the largest of the scores below every node."""
        bounds = [self.scores.index_select(-1, self._trie.items.long())]
        for level in range(self._trie.n_levels - 1, 0, -1):
            bounds.insert(0, _segment_max(bounds[0], self._trie.starts[level].long()))
        return bounds

    def of(self, level: int, nodes: Tensor) -> Tensor:
        """Bounds of ``nodes (users, ...)`` of a level, of the same shape."""
        if self.scores.dim() == 1:
            return self.bounds[level][nodes]
        if self.scores.device.type == "cpu":  # most nodes are never asked for
            first, items = self._trie.first_leaves[level].numpy(), self._trie.items.numpy()
            found = best_below(self.scores.numpy(), items, first, nodes.flatten(1).numpy())
            return torch.from_numpy(found).view(nodes.shape)
        return self.bounds[level].gather(1, nodes.flatten(1).long()).view(nodes.shape)

    def add(self, level: int, nodes: Tensor, children: Tensor, scores: Tensor) -> Tensor:
        """See :meth:`ItemPrior.add`."""
        return scores + self.of(level, children)

    def add_to_items(self, scores: Tensor) -> Tensor:
        """See :meth:`ItemPrior.add_to_items`."""
        return scores + self.scores[..., : scores.shape[1]]


class SparsePrior:
    """A prior that knows few items of every user; all the others have what all users share, or 0.

    Time and memory go with the number of these items: nothing is held for the nodes of the catalogue, so personal
    priors cost the same over a thousand items and over ten million. The bound of a prefix is tight where no known item
    gets less than the shared score, and where all items below are known.

    Args:
        trie: What is searched.
        users: ``(n,)`` int64 user of every entry.
        items: ``(n,)`` int64 catalogue positions, none twice for a user; those outside the trie do no harm.
        scores: ``(n,)`` finite scores, in addition to the shared ones.
        shared: Prior of all items that is the same for all users.

    Raises:
        DataError: A score is not finite, or the shared prior has a row for every user.
    """

    def __init__(
        self, trie: DeviceTrie, users: Tensor, items: Tensor, scores: Tensor, shared: PriorBounds | None = None
    ) -> None:
        if not bool(scores.isfinite().all()):
            raise DataError("A score of a user's own prior is not finite.", hint="Forbid items by a deny list instead.")
        if shared is not None and shared.scores.dim() != 1:
            raise DataError("A prior that all users share has rows.", expected="shape (n_items,)")
        self.trie, self.shared = trie, shared
        self.users, self.items, self.scores = users, items, scores.to(torch.float32)

    @cached_property
    def _levels(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Per level the users, nodes and parents of the entries, and the bounds of the nodes."""
        paths = self.trie.paths(self.items)
        known = paths[:, -1] >= 0
        users, paths, scores = self.users[known], paths[known], self.scores[known]
        if self.shared is not None:
            scores = scores + self.shared.scores[self.items[known]]
        levels = []
        for level, nodes in enumerate(paths.unbind(1)):
            size = len(self.trie.codes[level])
            keys, entry, count = (users * size + nodes).unique(return_inverse=True, return_counts=True)
            best = torch.full((len(keys),), -torch.inf, device=scores.device).scatter_reduce(0, entry, scores, "amax")
            owner, node = keys // size, keys % size
            others = self._shared_bound(level, node)
            best = torch.where(count < self.trie.leaves[level][node], torch.maximum(best, others), best)
            parents = torch.zeros_like(node) if not level else self.trie.ancestors(node, level, level - 1)
            levels.append((owner, node, parents, best))
        return levels

    def _shared_bound(self, level: int, nodes: Tensor) -> Tensor:
        return torch.zeros(nodes.shape, device=nodes.device) if self.shared is None else self.shared.of(level, nodes)

    def add(self, level: int, nodes: Tensor, children: Tensor, scores: Tensor) -> Tensor:
        """See :meth:`ItemPrior.add`. Works from the few known nodes, not from the many children."""
        users, known, parents, bounds = self._levels[level]
        keys = scores.clone() if self.shared is None else self.shared.add(level, nodes, children, scores)
        entry, beam = (nodes[users] == parents[:, None]).nonzero(as_tuple=True)
        user = users[entry]
        place = known[entry] - self.trie.starts[level][parents[entry]]
        keys[user, beam, place] = scores[user, beam, place] + bounds[entry]
        return keys

    def add_to_items(self, scores: Tensor) -> Tensor:
        """See :meth:`ItemPrior.add_to_items`."""
        scores = scores.clone() if self.shared is None else self.shared.add_to_items(scores)
        inside = self.items < scores.shape[1]
        return scores.index_put_((self.users[inside], self.items[inside]), self.scores[inside], accumulate=True)


def _segment_max(values: Tensor, starts: Tensor) -> Tensor:
    """Largest value of consecutive segments, none empty: ``(..., n)`` and ``(m + 1,)`` to ``(..., m)``."""
    owner = torch.repeat_interleave(torch.arange(len(starts) - 1, device=starts.device), starts.diff())
    result = torch.full((*values.shape[:-1], len(starts) - 1), -torch.inf, device=values.device)
    return result.scatter_reduce(-1, owner.expand_as(values), values, "amax")
