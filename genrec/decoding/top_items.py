"""The best of scored items, where every item has a score: exact scoring, parallel slots, baselines."""

from __future__ import annotations

import torch
from torch import Tensor


def top_items(
    scores: Tensor, k: int, *, forbidden: Tensor | None = None, allowed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The ``k`` best items of every user.

    Args:
        scores: ``(users, n_items)``; -inf where an item must not come.
        k: How many.
        forbidden: ``(users, n)`` int64 items that a user must not get, -1 for padding.
        allowed: ``(users, n)`` int64 items that a user may get, -1 for padding; None: all.

    Returns:
        ``items (users, min(k, n_items))`` int64, best first, -1 where fewer are allowed, and their scores, -inf there.
    """
    if allowed is not None:
        scores = scores.where(members(allowed, scores.shape[1]), -torch.inf)
    if forbidden is not None:
        scores = scores.masked_fill(members(forbidden, scores.shape[1]), -torch.inf)
    best, items = scores.topk(min(k, scores.shape[1]), dim=1)
    return torch.where(best > -torch.inf, items, -1), best


def members(items: Tensor, n_items: int) -> Tensor:
    """Rows of items as masks: ``(users, n)`` with -1 for padding to ``(users, n_items)`` bool."""
    mask = torch.zeros(len(items), n_items + 1, dtype=torch.bool, device=items.device)
    place = torch.where((items >= 0) & (items < n_items), items, n_items)
    return mask.scatter_(1, place, True)[:, :n_items]


def merge_best(items: Tensor, scores: Tensor, more_items: Tensor, more_scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` best of two lists of scored items a user."""
    items, scores = torch.cat([items, more_items], dim=1), torch.cat([scores, more_scores], dim=1)
    best, place = scores.topk(min(k, scores.shape[1]), dim=1)
    return items.gather(1, place), best
