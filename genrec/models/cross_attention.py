"""Attention of one sequence of a history to another of the same length, for networks that read an item twice."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def seen_by(mask: Tensor) -> Tensor:
    """Every column sees itself and the real ones before it, ``(users, n) -> (users, n, n)`` bool."""
    n = mask.shape[1]
    earlier = torch.ones(n, n, dtype=torch.bool, device=mask.device).tril()
    return (earlier & mask[:, None, :]) | torch.eye(n, dtype=torch.bool, device=mask.device)


class Cross(nn.Module):
    """Attention of one sequence to another, ``(users, n, dim)`` each, where ``seen (users, n, n)`` allows it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim, bias=False) for _ in range(4))

    def forward(self, asking: Tensor, told: Tensor, seen: Tensor) -> Tensor:
        """What ``asking`` finds in ``told``, of its shape."""
        parts = self.query(asking), self.key(told), self.value(told)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=seen[:, None])
        out: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return out
