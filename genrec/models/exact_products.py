"""Products of float32 matrices in training, by the library that is fastest on the processor at hand.

PyTorch multiplies by MKL, which runs at half speed or less on processors that are not Intel's. There oneDNN takes less
than half, with float32's accuracy. PyTorch only asks oneDNN when it may round to bfloat16; oneDNN does not, where
a processor has no tiles for it, and that is tried once before it is used.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_SMALL = 1 << 20  # multiplications below which a call costs more than the product
_CLOSE = 1e-5  # of the largest entry; bfloat16 is off by 100 times that
_STEPS = 16  # sizes of a row count in every power of two: a library prepares each of them once


def product(left: Tensor, right: Tensor) -> Tensor:
    """``left (n, k) @ right (k, m)`` with float32's accuracy; gradients do not pass through."""
    if left.dtype != torch.float32 or left.shape[0] * right.numel() < _SMALL or not _prefers_onednn():
        return left @ right
    return _by_onednn(left, right)


def linear(rows: Tensor, weight: Tensor) -> Tensor:
    """``rows (n, in) @ weight (out, in).T``, with gradients, both by :func:`product`."""
    result: Tensor = _Linear.apply(rows, weight)  # type: ignore[no-untyped-call]
    return result


def padded_rows(n: int) -> int:
    """The next larger of a few row counts, at most a sixteenth more."""
    step = max(16, 1 << max(0, n.bit_length() - 1) >> _STEPS.bit_length() - 1)
    return -(-n // step) * step


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(rows, weight)
        return product(rows, weight.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, Tensor | None]:  # type: ignore[override]
        rows, weight = ctx.saved_tensors
        given = given.contiguous()
        return (
            product(given, weight) if ctx.needs_input_grad[0] else None,
            product(given.T, rows) if ctx.needs_input_grad[1] else None,
        )


def _by_onednn(left: Tensor, right: Tensor) -> Tensor:
    settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    settings.fp32_precision = "bf16"
    try:
        return left @ right
    finally:
        settings.fp32_precision = "none"


@cache
def _prefers_onednn() -> bool:
    """Whether oneDNN is asked: on processors of others than MKL's maker, where it keeps float32's accuracy."""
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    settings: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if "intel" in str(features.get("cpu_name", "intel")).lower() or features.get("amx_bf16", True):
        return False
    if not torch.backends.mkldnn.is_available() or getattr(settings, "fp32_precision", "") != "none":
        return False  # somebody has said what products may do
    left = torch.linspace(-1, 1, 256 * 384).sin().view(256, 384)
    exact = left.double() @ left.double().T
    return float((_by_onednn(left, left.T) - exact).abs().max()) < _CLOSE * float(exact.abs().max())
