"""Scores of items that are added to the model's: corrections of popularity, transition counts, business boosts."""

from __future__ import annotations

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import DataError


class PriorBounds:
    """Upper bounds of an additive item score on every prefix, the score itself at the leaves.

    The bound of a prefix is the largest score below it, so a search that orders its beams by score plus bound never
    underrates an item, and does not lose a boosted one behind a prefix that the model alone finds unlikely.

    Args:
        trie: What is searched.
        scores: ``(n_items,)`` or ``(users, n_items)`` by catalogue position; -inf forbids an item.
        weight: Factor on the scores, from 0.

    Attributes:
        scores: The weighted scores.
        bounds: Per level ``(n_nodes,)`` or ``(users, n_nodes)``: the largest of them below every node.

    Raises:
        DataError: The scores are of another catalogue, or one is NaN or +inf.
    """

    def __init__(self, trie: DeviceTrie, scores: Tensor, weight: float = 1.0) -> None:
        scores = scores.to(trie.device, torch.float32)
        if scores.dim() not in (1, 2) or scores.shape[-1] <= int(trie.items.max()):
            raise DataError(
                f"Item scores of shape {tuple(scores.shape)}.",
                expected=f"one score for each of at least {int(trie.items.max()) + 1:,} catalogue items",
            )
        if bool((scores.isnan() | (scores == torch.inf)).any()):
            raise DataError("An item score is NaN or +inf.", expected="finite numbers, or -inf to forbid an item")
        # -inf times a weight of zero would be NaN.
        self.scores = torch.where(scores == -torch.inf, scores, scores * weight)
        self.bounds = [self.scores[..., trie.items.long()]]
        for level in range(trie.n_levels - 1, 0, -1):
            self.bounds.insert(0, _segment_max(self.bounds[0], trie.starts[level].long()))

    def of(self, level: int, nodes: Tensor) -> Tensor:
        """Bounds of ``nodes (users, ...)`` of a level, of the same shape."""
        bound = self.bounds[level]
        if bound.dim() == 1:
            return bound[nodes]
        return bound.gather(1, nodes.flatten(1).long()).view(nodes.shape)


def _segment_max(values: Tensor, starts: Tensor) -> Tensor:
    """Largest value of consecutive segments, none empty: ``(..., n)`` and ``(m + 1,)`` to ``(..., m)``."""
    owner = torch.repeat_interleave(torch.arange(len(starts) - 1, device=starts.device), starts.diff())
    result = torch.full((*values.shape[:-1], len(starts) - 1), -torch.inf, device=values.device)
    return result.scatter_reduce(-1, owner.expand_as(values), values, "amax")
