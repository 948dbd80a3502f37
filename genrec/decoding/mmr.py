"""Maximal marginal relevance: a list whose items are good and unlike each other (Carbonell and Goldstein 1998)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from genrec.errors import ConfigError


@torch.inference_mode()
def maximal_marginal_relevance(
    items: Tensor, scores: Tensor, vectors: Tensor, k: int, *, relevance: float = 0.7
) -> tuple[Tensor, Tensor]:
    """Re-rank lists.

    Items are taken one by one; each is the best of ``relevance * score - (1 - relevance) * similarity``, where the
    score is scaled so that the user's best item has 1 and the worst 0, and the similarity is the largest cosine with
    an item already taken, 0 where all are negative.

    Args:
        items: ``(users, n)`` int64, -1 at the end of short lists.
        scores: ``(users, n)``, -inf at -1.
        vectors: ``(n_items, dim)`` item vectors.
        k: Length of the new lists.
        relevance: From 0 (only unlike each other) to 1 (only good: the order of the scores).

    Returns:
        ``items (users, min(k, n))`` in the order taken, and the marginal relevance of each, which never increases.

    Raises:
        ConfigError: ``relevance`` is not between 0 and 1.
    """
    if not 0 <= relevance <= 1:
        raise ConfigError(f"A relevance of {relevance}.", expected="0 to 1")
    users, n = items.shape
    real = items >= 0
    best = scores.amax(1, keepdim=True)
    worst = scores.masked_fill(~real, torch.inf).amin(1, keepdim=True)
    value = (relevance * (scores - worst) / (best - worst).clamp_min(1e-9)).masked_fill(~real, -torch.inf)
    unit = F.normalize(vectors[items.clamp_min(0)].float(), dim=-1)  # (users, n, dim)
    alike = (1 - relevance) * (unit @ unit.transpose(1, 2))
    nearest = torch.zeros(users, n, device=items.device)
    free = real.clone()
    rows = torch.arange(users, device=items.device)
    taken, gains = [], []
    for _ in range(min(k, n)):
        marginal = (value - nearest).masked_fill(~free, -torch.inf)
        gain, place = marginal.max(dim=1)
        free[rows, place] = False
        nearest = torch.maximum(nearest, alike[rows, place])
        taken.append(torch.where(gain > -torch.inf, items[rows, place], -1))
        gains.append(gain)
    return torch.stack(taken, dim=1), torch.stack(gains, dim=1)
