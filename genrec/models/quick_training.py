"""What training costs on a CPU beside the mathematics, made cheaper: products in bfloat16, and dropout.

Weights, gradients of weights, residual streams and softmaxes stay as exact as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BITS = 16  # of a random number that decides about one value


def product_dtype(linear: Any, rows: Tensor, training: bool) -> torch.dtype:
    """What the products of a layer are computed in: bfloat16 in training where a CPU multiplies it directly.

    Such products take a quarter of the time on processors with AVX512-BF16 or AMX. Outside training, on a GPU and
    inside ``torch.autocast`` it is the type of the weight; so it is where something is wrapped around the layer. Where
    a quantizer has packed the weight it is the type of the ``rows``.
    """
    weight: Tensor = linear.weight
    if not weight.is_floating_point():  # packed by a quantizer, which takes rows as they are
        return rows.dtype
    bare = type(linear) is nn.Linear
    plain = (
        bare and weight.dtype == torch.float32 and weight.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    )
    return torch.bfloat16 if training and plain and has_bfloat16() else weight.dtype


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 matrices; others only emulate it."""
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def product(linear: Any, rows: Tensor) -> Tensor:
    """A linear layer in the type of its input.

    Args:
        linear: ``nn.Linear``; what wraps one keeps its own forward.
        rows: ``(..., in)``.
    """
    if type(linear) is not nn.Linear:
        wrapped: Tensor = linear(rows.to(linear.weight.dtype) if linear.weight.is_floating_point() else rows)
        return wrapped.to(rows.dtype)
    bias = None if linear.bias is None else linear.bias.to(rows.dtype)
    return F.linear(rows, linear.weight.to(rows.dtype), bias)


def dropout(values: Tensor, p: float) -> Tensor:
    """Values of which each is 0 with probability ``p``, the others scaled up for it.

    On a CPU four values share one random number of 64 bits, so ``p`` counts to the next 65,536th; torch draws one for
    every value, which takes as long as a matrix product of the same size.
    """
    if not p:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, p)
    numbers, share = values.numel(), 64 // _BITS
    draws = torch.empty(-(-numbers // share), dtype=torch.int64).random_(-(1 << 63), None).view(torch.int16)
    limit = round(p * (1 << _BITS))
    keep = (draws[:numbers] >= limit - (1 << (_BITS - 1))).view(values.shape).to(values.dtype)
    return values * keep.mul_((1 << _BITS) / ((1 << _BITS) - limit))
