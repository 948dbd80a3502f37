"""Decoder layers of transformers that answer on a CPU: norms and rotations in one pass each.

As transformers computes it, a layer of a small network is some forty tensor operations on a few hundred rows, and half
of its time goes to those that are no products. Weights, caches and masks are those of transformers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DynamicCache


def answer(layer: Any, hidden: Tensor, mask: Tensor | None, angles: Any, cache: DynamicCache | None) -> Tensor:
    """What a layer of Qwen3 or Llama makes of rows, without dropout and gradients.

    Args:
        layer: In evaluation mode, with float32 weights.
        hidden: ``(users, n, dim)``.
        mask: ``(users or 1, 1, n, columns)``, added or bool; None: every row sees those before it and itself.
        angles: Cosines and sines, ``(users or 1, n, head_dim)`` each.
        cache: Keys and values of earlier columns; it grows.

    Returns:
        ``(users, n, dim)``.
    """
    users, n, dim = hidden.shape
    attention, feed = layer.self_attn, layer.mlp
    rows = hidden.reshape(-1, dim)
    normed = norm_rows(rows, layer.input_layernorm)
    turns = _turns(angles)
    query = _turned(F.linear(normed, attention.q_proj.weight), attention, "q_norm", turns, (users, n))
    key = _turned(F.linear(normed, attention.k_proj.weight), attention, "k_norm", turns, (users, n))
    value = F.linear(normed, attention.v_proj.weight).view(users, n, -1, attention.head_dim).transpose(1, 2)
    if cache is not None:
        key, value = cache.update(key, value, attention.layer_idx)
    mixed = _mixed(query, key, value, mask, attention.num_key_value_groups)
    rows = torch.addmm(rows, mixed.transpose(1, 2).reshape(len(rows), -1), attention.o_proj.weight.T)
    normed = norm_rows(rows, layer.post_attention_layernorm)
    inner = F.silu(F.linear(normed, feed.gate_proj.weight), inplace=True)
    inner.mul_(F.linear(normed, feed.up_proj.weight))
    return torch.addmm(rows, inner, feed.down_proj.weight.T).view(hidden.shape)


def norm_rows(rows: Tensor, module: Any) -> Tensor:
    """Rows ``(n, dim)`` over their root mean square, times the weight of a norm of transformers."""
    from genrec.models import layer_kernels

    rows = rows.contiguous()
    out = torch.empty_like(rows)
    epsilon = np.float32(module.variance_epsilon)
    layer_kernels.norm(rows.numpy(), _copied(module), epsilon, out.numpy())
    return out


def _copied(module: Any) -> np.ndarray:
    """Weights of a norm. What NumPy looks at cannot be freed any more, which weights in pieces have to be."""
    weight: np.ndarray = module.weight.detach().clone().numpy()
    return weight


def _turns(angles: Any) -> np.ndarray:
    """Cosines, and sines with the sign of what is added, ``(2, rows, head_dim)``."""
    cos, sin = (one.reshape(-1, one.shape[-1]).numpy() for one in angles)
    half = sin.shape[1] // 2
    return np.stack([cos, np.concatenate([-sin[:, :half], sin[:, half:]], axis=1)])


def _turned(projected: Tensor, attention: Any, norm: str, turns: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """Heads normalised, where the layer has such a norm, and rotated: ``(users, heads, n, head_dim)``."""
    from genrec.models import attention_kernels

    heads = projected.view(len(projected), -1, attention.head_dim)
    out = projected.new_empty(shape[0], heads.shape[1], shape[1], attention.head_dim)
    module = getattr(attention, norm, None)
    weight = np.empty(0, dtype=np.float32) if module is None else _copied(module)
    epsilon = np.float32(0 if module is None else module.variance_epsilon)
    attention_kernels.turn(heads.numpy(), weight, epsilon, turns, out.numpy())
    return out


def _mixed(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, share: int) -> Tensor:
    """Attention, ``(users, heads, n, head_dim)``; ``share`` heads have the same keys and values."""
    if share > 1:
        key, value = (one.repeat_interleave(share, dim=1) for one in (key, value))
    bias = None if mask is None else mask[..., : key.shape[2]]
    return F.scaled_dot_product_attention(query, key, value, bias, is_causal=bias is None and query.shape[2] > 1)
