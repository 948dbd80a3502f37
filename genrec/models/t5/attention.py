"""Attention of the fused T5 stacks: over a shared sequence, and of beams to their own ancestors.

Every head of every user is one matrix of a batch. On a CPU two batched products of such small matrices are quicker than
the blocks of a flash kernel (measured in bfloat16: 1.7 times, and up to 15 times for a single query).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SCORES = 1 << 23  # scores of one call that may be held at once


def split_heads(rows: Tensor, users: int, heads: int) -> Tensor:
    """``(users * n, heads * head_dim)`` to ``(users * heads, n, head_dim)``, contiguous."""
    n = len(rows) // users
    return rows.view(users, n, heads, -1).transpose(1, 2).reshape(users * heads, n, -1)


def merge_heads(mixed: Tensor, users: int) -> Tensor:
    """``(users * heads, n, head_dim)`` to ``(users * n, heads * head_dim)``."""
    batch, n, head = mixed.shape
    return mixed.view(users, -1, n, head).transpose(1, 2).reshape(users * n, batch // users * head)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, heads: int) -> Tensor:
    """Attention without a scale, as T5 has it.

    Args:
        query: ``(users * heads, n, head_dim)``.
        key: ``(users * heads, m, head_dim)``.
        value: ``(users * heads, m, head_dim)``.
        bias: Added to the scores, ``(users or 1, heads or 1, n or 1, m)``; None: nothing.
        heads: Number of heads.

    Returns:
        ``(users * heads, n, head_dim)``.
    """
    batch, n, m = len(query), query.shape[1], key.shape[1]
    if query.device.type != "cpu" or batch * n * m > _SCORES:
        query, key, value = (one.view(batch // heads, heads, *one.shape[1:]) for one in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0).flatten(0, 1)
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = torch.bmm(query, key.transpose(1, 2))
    if bias is not None:
        scores = scores.to(wide).view(-1, heads, n, m).add_(bias).view(batch, n, m)
    return torch.bmm(scores.softmax(-1, dtype=wide).to(value.dtype), value)


def attend_to_ancestors(query: Tensor, pairs: list[Tensor], bias: Tensor) -> Tensor:
    """Attention of every beam to its ancestors and itself.

    Args:
        query: ``(users * beams, inner)``.
        pairs: Per level, keys beside values of the ancestors, ``(users, beams or 1, 2, heads, head_dim)``.
        bias: ``(levels, heads)``.

    Returns:
        ``(users * beams, inner)``.
    """
    users, beams, _, heads, head = pairs[-1].shape
    if len(pairs) == 1:
        return pairs[0][:, :, 1].reshape(users * beams, -1)
    query = query.view(users, beams, heads, head)
    scores = torch.stack([(query * pair[:, :, 0]).sum(-1) for pair in pairs]) + bias[:, None, None]
    weights = scores.softmax(0).unsqueeze(-1)  # (levels, users, beams, heads, 1)
    mixed = weights[0] * pairs[0][:, :, 1]
    for weight, pair in zip(weights[1:], pairs[1:], strict=True):
        mixed.addcmul_(weight, pair[:, :, 1])
    return mixed.view(users * beams, -1)
