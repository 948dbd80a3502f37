"""Layers of peft as fast as a CPU has them: the same mathematics, without what only costs.

peft adds a low-rank product to a frozen layer through five operations that each keep their input, draws dropout one
number at a time, and puts trained rows into a copy of the whole vocabulary in every pass. Here a layer and its adapter
are one operation that keeps its input and a seed, and trained rows are looked up where they are. Products are computed
in the number format of the frozen weights; what is trained stays as exact as it is.

Only the class of a layer is changed, so weights, names and files stay those of peft. What these classes do not cover
(several adapters, other devices, mixed precision, variants of LoRA, hooks on an adapter) goes the way of peft.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def quicken(model: Any) -> None:
    """Let the layers of a PEFT model compute as this module says, in place.

    Args:
        model: From peft.
    """
    plain = _classes()
    for module in model.modules():
        if type(module) in plain:
            module.__class__ = plain[type(module)]


class LowRankProduct(torch.autograd.Function):
    """A frozen linear layer with a low-rank update: ``x W' + bias + scale * drop(x) A' B'``.

    Kept for the way back: the input, its low-rank product, and the seed of what was dropped.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
        dropout: float,
    ) -> Tensor:
        """The product.

        Args:
            ctx: Of autograd.
            x: ``(..., in)``.
            weight: ``(out, in)``, frozen.
            bias: ``(out,)``, frozen.
            down: ``(rank, in)``.
            up: ``(out, rank)``.
            scale: Factor on the update.
            dropout: Share of the update's input that is left out.
        """
        rows = x.reshape(-1, x.shape[-1])
        seed = int(torch.randint(1 << 62, (1,))) if dropout else 0
        drop = _Drop(dropout, seed)
        low_down, low_up = down.to(x.dtype), up.to(x.dtype)
        inner = drop(rows) @ low_down.T
        output = F.linear(rows, weight, bias).addmm_(inner, low_up.T, alpha=scale * drop.scale)
        ctx.save_for_backward(rows, weight, low_down, low_up, inner)
        ctx.scale, ctx.dropout, ctx.seed, ctx.types = scale, dropout, seed, (down.dtype, up.dtype)
        return output if x.dim() == 2 else output.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Gradients of ``x``, ``down`` and ``up``."""
        rows, weight, down, up, inner = ctx.saved_tensors
        drop = _Drop(ctx.dropout, ctx.seed)
        scale = ctx.scale * drop.scale
        outer = gradient.reshape(-1, gradient.shape[-1])
        middle = (outer @ up).mul_(scale)
        to_up = (outer.T @ inner).to(ctx.types[1]).mul_(scale) if ctx.needs_input_grad[4] else None
        to_down = (middle.T @ drop(rows)).to(ctx.types[0]) if ctx.needs_input_grad[3] else None
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = outer @ weight
            to_x = to_x.add_(drop(middle @ down)) if ctx.dropout else to_x.addmm_(middle, down)
            to_x = to_x.view(*gradient.shape[:-1], -1)
        return to_x, None, None, to_down, to_up, None, None


class _Drop:
    """Which numbers of a matrix are left out, the same ones for the same seed.

    A byte decides for each number; where the share is no multiple of 1/256, a draw for the whole matrix decides between
    the two nearest, so that every number is left out with exactly that probability.

    Args:
        share: Probability that a number is left out.
        seed: Of the draw.
    """

    def __init__(self, share: float, seed: int) -> None:
        self.share, self.seed = share, seed
        below, rest = divmod(share * _BYTE, 1)
        self._bits = np.random.SFC64(seed)
        self._limit = int(below) + (self._bits.random_raw() < rest * 2.0**64)
        self.scale = _BYTE / (_BYTE - self._limit)  # of what is kept, so that sums stay what they are on average
        self._kept: Tensor | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        """The matrix with what is left out as zeros, not made larger yet; every call leaves out the same."""
        if not self._limit:
            return rows
        if self._kept is None:
            drawn = self._bits.random_raw(-(-rows.numel() // 8)).view(np.uint8)[: rows.numel()]
            kept = np.greater_equal(drawn, self._limit).view(np.uint8)
            self._kept = torch.from_numpy(kept).view(rows.shape).to(_INTEGERS[rows.dtype.itemsize])
        return (rows.view(self._kept.dtype) * self._kept).view(rows.dtype)  # many times faster than with booleans


_BYTE = 256
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@cache
def _classes() -> dict[type, type]:
    """Classes of peft, with those that take their place."""
    from peft.tuners.lora.layer import Linear
    from peft.tuners.trainable_tokens.layer import TrainableTokensLayer

    class FastLinear(Linear):  # type: ignore[misc]
        """A frozen linear layer with one plain LoRA adapter."""

        def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            """See the class of peft."""
            adapter = _one_adapter(self, x)
            base = self.base_layer
            if (
                adapter is None
                or args
                or kwargs
                or type(base) is not nn.Linear
                or base.weight.requires_grad
                or base.weight.dtype != x.dtype
                or adapter not in self.lora_A
                or adapter in self.lora_variant
                or type(self.lora_A[adapter]) is not nn.Linear
                or self.lora_B[adapter].bias is not None
                or _hooked(self.lora_A[adapter], self.lora_B[adapter])
            ):
                output: Tensor = super().forward(x, *args, **kwargs)
                return output
            dropout = getattr(self.lora_dropout[adapter], "p", 0.0) if self.training else 0.0
            down, up = self.lora_A[adapter].weight, self.lora_B[adapter].weight
            rows = x.reshape(-1, x.shape[-1])  # a view made in there could not be changed in place, as LED does
            product: Tensor = LowRankProduct.apply(
                rows, base.weight, base.bias, down, up, float(self.scaling[adapter]), dropout
            )
            return product.view(*x.shape[:-1], -1)

    class FastRows(TrainableTokensLayer):  # type: ignore[misc]
        """A frozen table some of whose rows are trained beside it."""

        def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            """See the class of peft."""
            adapter = _one_adapter(self, x)
            if adapter is None or args or kwargs or self.base_layer.weight.requires_grad:
                output: Tensor = super().forward(x, *args, **kwargs)
                return output
            return read_rows(self, adapter, x)

    for one in (FastLinear, FastRows):
        one.__qualname__ = one.__name__  # so that pickle finds them by __getattr__
    return {Linear: FastLinear, TrainableTokensLayer: FastRows}


def __getattr__(name: str) -> type:
    """The classes by name, for pickle: they are made where peft is first needed."""
    if name in ("FastLinear", "FastRows"):
        return next(one for one in _classes().values() if one.__name__ == name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _one_adapter(layer: Any, x: Tensor) -> str | None:
    """The name of the only adapter of a layer, where nothing stands against the fast way."""
    if layer.merged or layer.disable_adapters or len(layer.active_adapters) != 1:
        return None
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or type(layer.get_base_layer().weight) not in _PLAIN:
        return None
    return str(layer.active_adapters[0])


def _hooked(*parts: nn.Module) -> bool:
    """Whether somebody listens to parts of an adapter, such as a gate, so that each has to be called."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(part, name) for part in parts for name in hooks)


_PLAIN = (nn.Parameter, Tensor)


def read_rows(layer: Any, adapter: str, x: Tensor) -> Tensor:
    """Output of a table whose rows of some tokens are trained: an embedding, or an output layer without its bias.

    Args:
        layer: Of peft, around the frozen table.
        adapter: Whose rows.
        x: Token ids of any shape, or for an output layer states ``(..., dim)``.
    """
    base, rows = layer.base_layer, layer.trainable_tokens_delta[adapter]
    if isinstance(base, nn.Linear):
        ids = torch.as_tensor(layer.token_indices[adapter])
        return F.linear(x, base.weight).index_copy(-1, ids, F.linear(x, rows.to(x.dtype)))
    places = row_places(layer, adapter)[x]
    found = base(x)
    own = F.embedding(places.clamp_min(0), rows).to(found.dtype)
    scale = layer._get_embed_scale()
    if scale is not None:
        own = own * scale.to(own.dtype)
    return torch.where((places >= 0)[..., None], own, found)


def row_places(layer: Any, adapter: str) -> Tensor:
    """For every token of the vocabulary its place among the trained rows, ``(vocabulary,)`` int64, or -1."""
    ids = layer.token_indices[adapter]
    size, known = len(layer.base_layer.weight), layer.__dict__.get("_genrec_places")
    if known is None or known[0] is not ids or len(known[1]) != size:
        places = torch.full((size,), -1, dtype=torch.int64)
        places[torch.as_tensor(ids)] = torch.arange(len(ids))
        known = layer.__dict__["_genrec_places"] = (ids, places)
    found: Tensor = known[1]
    return found
