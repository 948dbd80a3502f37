"""The normaliser's two halves at the speed of a CPU: products with a large matrix, and log-sum-exp.

Every product with a plain matrix first rearranges it, which for the few rows of a beam search costs as much as the
product. oneDNN can do it once (torch.compile does the same for frozen weights); a copy of the matrix is the price.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_MOST_BYTES = 1 << 30  # larger matrices are not copied
_ROWS = 64  # of the left side, a hint for the layout


class ChunkedProduct:
    """Products of rows with a matrix ``(out, in)``, some of its rows at a time.

    Args:
        chunk: How many.
    """

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk
        self._key: object = None
        self._packed: list[Tensor] = []

    def __call__(self, rows: Tensor, weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Parts of ``rows @ weight.T`` in the type of ``rows``: which columns, and ``(n, chunk)`` of them.

        Args:
            rows: ``(n, in)``.
            weight: ``(out, in)``; it is packed again when an optimiser or a loader has changed it.
        """
        packed = self._pack(weight, rows.dtype) if _can_pack(rows, weight) else None
        for number, start in enumerate(range(0, len(weight), self.chunk)):
            part = slice(start, start + self.chunk)
            if packed is None:
                yield part, F.linear(rows, weight[part].to(rows.dtype))
            else:
                yield part, torch.ops.mkldnn._linear_pointwise(rows, packed[number], None, "none", [], "")

    def _pack(self, weight: Tensor, dtype: torch.dtype) -> list[Tensor]:
        key = (weight.data_ptr(), 0 if weight.is_inference() else weight._version, dtype)
        if key != self._key:
            reorder: Any = torch.ops.mkldnn._reorder_linear_weight
            self._packed = [reorder(part.to(dtype), _ROWS) for part in weight.detach().split(self.chunk)]
            self._key = key
        return self._packed


def _can_pack(rows: Tensor, weight: Tensor) -> bool:
    if rows.device.type != "cpu" or torch.is_grad_enabled() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    if not torch.backends.mkldnn.is_available() or weight.numel() * rows.element_size() > _MOST_BYTES:
        return False
    return rows.dtype == torch.float32 or (rows.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def log_sum_exp(logits: Tensor) -> Tensor:
    """Log-sum-exp over the last dimension.

    A fused softmax does it in one pass, without the tiny numbers that make ``torch.logsumexp`` ten times slower on a
    CPU where logits differ by more than 87.
    """
    return logits.amax(-1) - logits.log_softmax(-1).amax(-1)
