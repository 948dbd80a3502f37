"""Products of float32 matrices by the library that is fastest on the processor at hand.

PyTorch multiplies by MKL, which runs at half speed or less on processors that are not Intel's. There oneDNN takes less
than half, with float32's accuracy. PyTorch only asks oneDNN when it may round to bfloat16; oneDNN does not, where
a processor has no tiles for it, and that is tried once before it is used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_SMALL = 1 << 20  # multiplications below which a call costs more than the product
_CLOSE = 1e-5  # of the largest entry; bfloat16 is off by 100 times that
_STEPS = 16  # sizes of a row count in every power of two: a library prepares each of them once


_USUAL_ROWS = 1024  # for which a library lays out weights; others are as exact


_lock = threading.Lock()
_blocks = 0


@contextmanager
def fast_products() -> Iterator[None]:
    """Inside the block PyTorch multiplies float32 matrices by the fastest library that keeps their accuracy.

    Worth it for large products: a call costs some microseconds more. Other threads' products change with it, in the
    last bits.
    """
    global _blocks
    if not _prefers_onednn():
        yield
        return
    with _lock:
        _blocks += 1
        _let("bf16")
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                _let("none")


@contextmanager
def fast_linears(network: nn.Module) -> Iterator[None]:
    """Inside the block the linear layers of a network, and nothing else in it, multiply by the fastest exact library.

    PyTorch's attention is several times slower under :func:`fast_products`. The weights are laid out for the library
    once, and gradients do not pass through.
    """
    layers = [layer for layer in network.modules() if type(layer) is nn.Linear and _gains(layer)]
    for layer in layers:
        layer.forward = _laid_out(layer)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _gains(layer: nn.Linear) -> bool:
    """Whether a layer is one of float32 on a processor whose fastest library is not the usual one."""
    plain = layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu"
    return plain and "forward" not in vars(layer) and _prefers_onednn()


def _laid_out(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    library: Any = torch.ops.mkldnn
    weight = library._reorder_linear_weight(layer.weight.detach().contiguous(), _USUAL_ROWS)

    def forward(rows: Tensor) -> Tensor:
        n = rows.numel() // layer.in_features
        flat = rows.new_zeros(padded_rows(n), layer.in_features)
        flat[:n] = rows.reshape(n, layer.in_features)
        found: Tensor = library._linear_pointwise(flat, weight, layer.bias, "none", [], "")
        return found[:n].view(*rows.shape[:-1], layer.out_features)

    return forward


def product(left: Tensor, right: Tensor) -> Tensor:
    """``left (n, k) @ right (k, m)`` with float32's accuracy; gradients do not pass through."""
    if left.dtype != torch.float32 or left.shape[0] * right.numel() < _SMALL:
        return left @ right
    with fast_products():
        return left @ right


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


def _let(rounding: str) -> None:
    """What PyTorch allows oneDNN to round float32 to; it asks oneDNN only where that is something."""
    settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    settings.fp32_precision = rounding


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
    _let("bf16")
    try:
        found = left @ left.T
    finally:
        _let("none")
    return float((found - exact).abs().max()) < _CLOSE * float(exact.abs().max())
