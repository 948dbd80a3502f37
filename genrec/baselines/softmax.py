"""Cross-entropy over a whole catalogue without ever holding the logits of a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CELLS = {"cpu": 1 << 20, "cuda": 1 << 28}


class _FullSoftmax(torch.autograd.Function):
    """Loss and both gradients in one pass over chunks of rows: logits are made once and stay in the cache."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        n, size = len(hidden), max(1, _CELLS.get(hidden.device.type, 1 << 24) // len(items))
        total = hidden.new_zeros(())
        # Transposed, because the product below is then much faster on CPU.
        to_hidden, to_items = torch.empty_like(hidden), items.new_zeros(items.T.shape)
        for start in range(0, n, size):
            part, wanted = hidden[start : start + size], targets[start : start + size, None]
            shares = torch.softmax(part @ items.T, dim=1)
            # Only the figure is cut where a share underflows, not the gradient.
            total -= shares.gather(1, wanted).clamp_min(torch.finfo(shares.dtype).tiny).log().sum()
            shares.scatter_add_(1, wanted, shares.new_full(wanted.shape, -1.0))
            torch.mm(shares, items, out=to_hidden[start : start + size])
            to_items.addmm_(part.T, shares)
        ctx.save_for_backward(to_hidden.div_(n), to_items.T.contiguous().div_(n))
        return total / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        to_hidden, to_items = ctx.saved_tensors
        return to_hidden * gradient, to_items * gradient, None


def full_softmax_loss(hidden: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of ``softmax(hidden @ items.T)``, its gradients worked out on the way.

    The same as ``torch.nn.functional.cross_entropy(hidden @ items.T, targets)`` with a fraction of the memory traffic;
    the idea of Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models (https://arxiv.org/abs/2411.09009).

    Args:
        hidden: ``(n, dim)`` float32, ``n`` at least 1.
        items: ``(n_items, dim)`` float32.
        targets: ``(n,)`` int64.
    """
    loss: Tensor = _FullSoftmax.apply(hidden, items, targets)  # type: ignore[no-untyped-call]
    return loss
