"""Products with fixed matrices, and log-sum-exp, at the speed that a CPU has for few rows.

Every product with a plain matrix first rearranges it, which for the few rows of a beam search costs 15 to 40 % of the
time. oneDNN can do it once (torch.compile does so for frozen weights); a copy of the matrix is the price. Each call of
oneDNN costs about 15 microseconds more than one of MKL, which on Intel's processors is as fast at small products; so
there, small float32 matrices are only transposed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_MOST_BYTES = 1 << 30  # larger matrices are not copied
_ROWS = 64  # of the left side, a hint for the layout
_SMALL = 1 << 18  # elements of a matrix up to which MKL is faster on Intel's processors
_linear: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


class Product:
    """Products of rows with one matrix, which is copied.

    Args:
        weight: ``(out, in)``.
    """

    def __init__(self, weight: Tensor) -> None:
        self.packed = can_pack(weight) and not _suits_mkl(weight.numel(), weight.dtype)
        self.weight = _reorder(weight) if self.packed else weight.T.contiguous()

    def __call__(self, rows: Tensor) -> Tensor:
        """``(n, in)`` to ``(n, out)``."""
        return _linear(rows, self.weight, None, "none", [], "") if self.packed else rows @ self.weight

    def relu(self, rows: Tensor) -> Tensor:
        """The same, and negative numbers replaced by 0."""
        return _linear(rows, self.weight, None, "relu", [], "") if self.packed else (rows @ self.weight).relu_()

    def add(self, rows: Tensor, residual: Tensor) -> Tensor:
        """The same plus ``residual (n, out)``."""
        if self.packed:
            return _linear.binary(rows, residual, self.weight, None, "add")
        return torch.addmm(residual, rows, self.weight)


class ChunkedProduct:
    """Products of rows with a matrix ``(out, in)``, some of its rows at a time.

    Args:
        chunk: How many.
    """

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk
        self._made: tuple[object, list[Tensor]] = (None, [])  # one thing: threads share it

    def __call__(self, rows: Tensor, weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Parts of ``rows @ weight.T`` in the type of ``rows``: which columns, and ``(n, chunk)`` of them.

        Args:
            rows: ``(n, in)``.
            weight: ``(out, in)``; it is packed again when an optimiser or a loader has changed it. Fused optimisers
                change weights without telling: make a new object then, as every decoding of a model does.
        """
        plain = _suits_mkl(self.chunk * weight.shape[1], rows.dtype)
        packed = self._pack(weight, rows.dtype) if can_pack(weight, rows.dtype) and not plain else None
        for number, start in enumerate(range(0, len(weight), self.chunk)):
            part = slice(start, start + self.chunk)
            if packed is None:
                yield part, F.linear(rows, weight[part].to(rows.dtype))
            else:
                yield part, _linear(rows, packed[number], None, "none", [], "")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_made": (None, [])}  # packed matrices cannot be copied

    def _pack(self, weight: Tensor, dtype: torch.dtype) -> list[Tensor]:
        key = (weight.data_ptr(), 0 if weight.is_inference() else weight._version, dtype)
        known, packed = self._made
        if key != known:
            packed = [_reorder(part.to(dtype)) for part in weight.detach().split(self.chunk)]
            self._made = key, packed
        return packed


def can_pack(weight: Tensor, dtype: torch.dtype | None = None) -> bool:
    """Whether a matrix can be packed, to be multiplied in ``dtype``, its own unless given; never for training."""
    dtype = dtype or weight.dtype
    if weight.device.type != "cpu" or torch.is_grad_enabled() or _linear is None:
        return False
    if weight.numel() * dtype.itemsize > _MOST_BYTES:
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _suits_mkl(elements: int, dtype: torch.dtype) -> bool:
    return elements <= _SMALL and dtype == torch.float32 and _has_fast_mkl()


@cache
def _has_fast_mkl() -> bool:
    """Whether MKL runs on a processor of its own maker."""
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.backends.mkl.is_available() and "intel" in str(features.get("cpu_name", "")).lower()


def _reorder(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _ROWS)
    return packed


def log_sum_exp(logits: Tensor) -> Tensor:
    """Log-sum-exp over the last dimension.

    A fused softmax does it in one pass, without the tiny numbers that make ``torch.logsumexp`` ten times slower on a
    CPU where logits differ by more than 87.
    """
    return logits.amax(-1) - logits.log_softmax(-1).amax(-1)
