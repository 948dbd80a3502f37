"""Cross-entropy over a whole catalogue without ever holding the logits of a batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_CELLS = {"cpu": 1 << 20, "cuda": 1 << 28}
_HALF_CELLS = 1 << 22
"""In half precision products gain more from size than from a cache."""


class _FullSoftmax(torch.autograd.Function):
    """Loss and both gradients in one pass over chunks of rows: logits are made once and stay in the cache."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        cells = _CELLS.get(hidden.device.type, 1 << 24)
        if dtype != torch.float32:
            cells = max(cells, _HALF_CELLS)
        n, size = len(hidden), max(1, cells // len(items))
        total = hidden.new_zeros(())
        states, table = hidden.to(dtype), items.to(dtype)
        # Transposed, because the product below is then much faster on CPU.
        to_hidden, to_items = torch.empty_like(hidden), items.new_zeros(items.T.shape)
        for start in range(0, n, size):
            part, wanted = states[start : start + size], targets[start : start + size, None]
            shares = torch.softmax(part @ table.T, dim=1)
            # Only the figure is cut where a share underflows, not the gradient.
            right = shares.gather(1, wanted).float().clamp_min(torch.finfo(torch.float32).tiny)
            total -= right.log().sum()
            shares.scatter_add_(1, wanted, shares.new_full(wanted.shape, -1.0))
            to_hidden[start : start + size] = shares @ table
            if dtype == to_items.dtype:
                to_items.addmm_(part.T, shares)
            else:
                to_items += part.T @ shares
        ctx.save_for_backward(to_hidden.div_(n), to_items.T.contiguous().div_(n))
        return total / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        to_hidden, to_items = ctx.saved_tensors
        return to_hidden.mul_(gradient), to_items.mul_(gradient), None, None


def full_softmax_loss(hidden: Tensor, items: Tensor, targets: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Mean cross-entropy of ``softmax(hidden @ items.T)``, its gradients worked out on the way.

    The same as ``torch.nn.functional.cross_entropy(hidden @ items.T, targets)`` with a fraction of the memory traffic;
    the idea of Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models (https://arxiv.org/abs/2411.09009).

    Args:
        hidden: ``(n, dim)`` float32, ``n`` at least 1.
        items: ``(n_items, dim)`` float32.
        targets: ``(n,)`` int64.
        dtype: Of the products and of the shares of the items.
    """
    loss: Tensor = _FullSoftmax.apply(hidden, items, targets, dtype)  # type: ignore[no-untyped-call]
    return loss


def sampled_softmax_loss(
    hidden: Tensor, items: Tensor, targets: Tensor, negatives: int, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """As :func:`full_softmax_loss`, where every target is told apart from a few items that stand for all others.

    The items are drawn anew in every call, alike for all rows, and each counts as many times as there are items for
    one that is drawn: the sum of the softmax is right on average.

    Args:
        hidden: ``(n, dim)`` float32, ``n`` at least 1.
        items: ``(n_items, dim)`` float32.
        targets: ``(n,)`` int64.
        negatives: How many are drawn; 0, or half of the catalogue and more: the loss is over all items.
        dtype: Of the products.
    """
    if not 0 < negatives < len(items) / 2:
        return full_softmax_loss(hidden, items, targets, dtype=dtype)
    drawn = torch.randint(len(items), (negatives,), device=items.device)
    others, wanted = items[torch.cat([drawn, targets])].split([negatives, len(targets)])
    right = (hidden * wanted).sum(dim=1, keepdim=True)
    scores = (hidden.to(dtype) @ others.to(dtype).T).float() + math.log(len(items) / negatives)
    scores = scores.masked_fill(drawn == targets[:, None], -torch.inf)
    return (torch.cat([right, scores], dim=1).logsumexp(dim=1) - right[:, 0]).mean()
