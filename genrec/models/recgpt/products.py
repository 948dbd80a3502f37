"""The large products of :class:`~genrec.models.recgpt.network.RecGPT`, as fast as a CPU computes them exactly.

Most of a training step is the product of targets and candidates, and its gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from genrec.exact_products import linear, product
from genrec.models.quick_training import has_bfloat16


def quick_product(rows: Tensor, weight: Tensor) -> Tensor:
    """``rows (..., in) @ weight (in, out)``, with gradients, by the fastest library that keeps float32's accuracy."""
    if not _plain(rows, weight):
        return rows @ weight
    return linear(rows.reshape(-1, rows.shape[-1]), weight.T).view(*rows.shape[:-1], weight.shape[1])


def log_mass(queries: Tensor, others: Tensor, without: Tensor, *, rounded: bool = False) -> Tensor:
    """Logarithm of the sum over others of the exponential of their product with a query.

    Args:
        queries: ``(n, dim)``.
        others: ``(m, dim)``.
        without: ``(2, p)`` int64 pairs (query, other) that do not count; a pair may come twice.
        rounded: Whether gradients may be products in bfloat16, on processors that have them.

    Returns:
        ``(n,)``, -inf where nothing counts.
    """
    if _plain(queries, others) and not others.requires_grad:
        result: Tensor = _LogMass.apply(queries, others, without, rounded and has_bfloat16())  # type: ignore[no-untyped-call]
        return result
    logits = queries @ others.T
    return logits.index_put((without[0], without[1]), logits.new_tensor(-torch.inf)).logsumexp(1)


def _plain(*tensors: Tensor) -> bool:
    """Whether numbers are float32 on a CPU, and stay so."""
    known = all(one.device.type == "cpu" and one.dtype == torch.float32 for one in tensors)
    return known and not torch.is_autocast_enabled("cpu")


class _LogMass(Function):
    """One tensor of all pairs instead of five: logits become probabilities in place."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, others: Tensor, without: Tensor, rounded: bool) -> Tensor:  # type: ignore[override]
        logits = product(queries, others.T)
        logits[without[0], without[1]] = -torch.inf
        highest = logits.amax(1, keepdim=True)
        highest.masked_fill_(highest == -torch.inf, 0)
        shares = logits.sub_(highest).exp_()
        total = shares.sum(1, keepdim=True)
        shares.div_(total.masked_fill(total == 0, 1))
        ctx.save_for_backward(shares, others)
        ctx.rounded = rounded
        return (total.log_() + highest)[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        shares, others = ctx.saved_tensors
        rounded = ctx.rounded
        mixed = (shares.bfloat16() @ others.bfloat16()).float() if rounded else product(shares, others)
        return mixed.mul_(given[:, None]), None, None, None
