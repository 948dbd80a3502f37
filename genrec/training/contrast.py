"""Terms that pull vectors together and push others apart, shared by the objectives of alignment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(left: Tensor, right: Tensor, temperature: float, same: Tensor | None = None) -> Tensor:
    """How hard it is to find every row's partner among all rows, both ways (InfoNCE, arXiv 1807.03748); a scalar.

    Args:
        left: ``(n, dim)``; compared by cosine.
        right: ``(n, dim)``; row ``i`` is the partner of row ``i`` of ``left``.
        temperature: Of the softmax.
        same: ``(n,)`` int64: rows with the same number are the same thing, and no negatives of each other.

    Returns:
        A mean over rows; 0 where there is nothing to tell apart.
    """
    if not len(left):
        return left.sum()
    scores = F.normalize(left, dim=-1) @ F.normalize(right, dim=-1).T / temperature
    if same is not None:
        others = same[:, None] == same[None]
        others.fill_diagonal_(False)
        scores = scores.masked_fill(others, torch.finfo(scores.dtype).min)
    right_ones = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, right_ones) + F.cross_entropy(scores.T, right_ones)) / 2


def bpr(user: Tensor, better: Tensor, worse: Tensor) -> Tensor:
    """Bayesian personalised ranking, ``-log sigmoid(user . better - user . worse)`` (arXiv 1205.2618), ``(n,)``.

    Args:
        user: ``(n, dim)``.
        better: ``(n, dim)`` what should score higher.
        worse: ``(n, dim)``.
    """
    return F.softplus(((worse - better) * user).sum(-1))


def some(n: int, most: int, device: torch.device) -> Tensor:
    """Places of at most so many of ``n`` rows, drawn without replacement, ``(min(n, most),)`` int64."""
    return torch.randperm(n, device=device)[:most] if n > most else torch.arange(n, device=device)
