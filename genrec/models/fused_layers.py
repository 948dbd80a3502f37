"""Decoder layers of transformers on a CPU: the same weights and results, in fewer passes over memory.

:func:`fuse_layers` changes how layers that it knows compute while they are trained in float32 on a CPU, and while they
answer there (:mod:`genrec.models.fused_answers`). Everything else (GPUs, adapters, mixed precision, long prompts in
training) goes through transformers' own code.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from transformers import DynamicCache

from genrec.exact_products import linear, padded_rows
from genrec.models.fused_answers import answer, norm_rows

_LAYERS = ("Qwen3DecoderLayer", "LlamaDecoderLayer")
_SILU = ("SiLU", "SiLUActivation")
_LONGEST = 128  # tokens, from where attention by blocks is faster
_EVERYTHING = 1 << 32


class Dropout:
    """A forward hook that adds dropout to what a module gives."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        """The output, with dropout in training."""
        if not module.training or not self.probability:
            return output
        if isinstance(output, tuple):
            return (F.dropout(output[0], self.probability), *output[1:])
        return F.dropout(output, self.probability)


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """What ``torch.nn.functional.dropout`` does, forty times faster on a CPU; the seed is drawn from torch's."""
    if not training or not probability or not _fits(x) or probability >= 1:
        return F.dropout(x, probability, training)
    rows: Tensor = _Drop.apply(x.reshape(-1, x.shape[-1]), None, _chances(probability))  # type: ignore[no-untyped-call]
    return rows.view(x.shape)


def fuse_layers(model: nn.Module) -> None:
    """Let the layers of a decoder that are known here compute faster in training.

    Args:
        model: A decoder of transformers without its head, as it was built.
    """
    layers: Any = getattr(model, "layers", ())
    known = [layer for layer in layers if type(layer).__name__ in _LAYERS]
    for layer in known:
        layer.forward = partial(_layer_forward, layer)  # a bound method could not be pickled
    norm: Any = getattr(model, "norm", None)
    if known and type(norm) is type(known[0].input_layernorm):
        norm.forward = partial(_norm_forward, norm)


def _norm_forward(self: Any, hidden_states: Tensor) -> Tensor:
    if _answers(self, hidden_states) and self.weight.dtype == torch.float32:
        return norm_rows(hidden_states.reshape(-1, hidden_states.shape[-1]), self).view(hidden_states.shape)
    if not (self.training and _fits(hidden_states) and self.weight.dtype == torch.float32):
        result: Tensor = type(self).forward(self, hidden_states)
        return result
    rows = hidden_states.reshape(-1, hidden_states.shape[-1])
    return _norm(rows, self).view(hidden_states.shape)


def _layer_forward(self: Any, hidden_states: Tensor, attention_mask: Any = None, **given: Any) -> Any:
    if _answers(self, hidden_states) and _answers_plainly(self, hidden_states, attention_mask, given):
        return answer(self, hidden_states, attention_mask, given["position_embeddings"], given.get("past_key_values"))
    if not (self.training and _fits(hidden_states) and _is_plain(self, hidden_states, attention_mask, given)):
        return type(self).forward(self, hidden_states, attention_mask, **given)
    users, n, dim = hidden_states.shape
    attention, feed = self.self_attn, self.mlp
    hidden = hidden_states.reshape(-1, dim)
    hidden = F.pad(hidden, (0, 0, 0, padded_rows(users * n) - users * n))
    weights = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
    projected = linear(_norm(hidden, self.input_layernorm), torch.cat(weights))
    mixed = _mix(attention, projected, given["position_embeddings"], attention_mask, (users, n))
    hidden = _drop_add(linear(mixed, attention.o_proj.weight), hidden, attention)
    weights = [feed.gate_proj.weight, feed.up_proj.weight]
    inner = linear(_norm(hidden, self.post_attention_layernorm), torch.cat(weights))
    inner = _Gate.apply(inner)  # type: ignore[no-untyped-call]
    hidden = _drop_add(linear(inner, feed.down_proj.weight), hidden, feed)
    return hidden[: users * n].view(hidden_states.shape)


def _fits(x: Tensor) -> bool:
    """Whether numbers are what the kernels read, and gradients are wanted."""
    return _are_plain(x) and torch.is_grad_enabled() and x.numel() < _EVERYTHING


def _are_plain(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def _answers(module: nn.Module, x: Tensor) -> bool:
    """Whether a module only answers: nothing is learned from numbers that the kernels read."""
    return not module.training and not torch.is_grad_enabled() and _are_plain(x)


def _answers_plainly(layer: Any, hidden: Tensor, mask: Any, given: dict[str, Any]) -> bool:
    """Whether a layer and its call are what :func:`~genrec.models.fused_answers.answer` computes."""
    known = given.get("past_key_values")
    if known is not None and type(known) is not DynamicCache:
        return False
    if mask is None and hidden.shape[1] > 1 and known is not None and known.get_seq_length():
        return False
    return not given.get("output_attentions") and hidden.numel() > 0 and _has_stock_parts(layer, hidden, mask)


def _is_plain(layer: Any, hidden: Tensor, mask: Any, given: dict[str, Any]) -> bool:
    """Whether a layer and its call are what :func:`_layer_forward` computes."""
    if given.get("past_key_values") is not None or given.get("output_attentions"):
        return False
    return 0 < hidden.shape[1] <= _LONGEST and _has_stock_parts(layer, hidden, mask)


def _has_stock_parts(layer: Any, hidden: Tensor, mask: Any) -> bool:
    """Whether a layer is as transformers made it, and its mask one that is added to all heads alike."""
    attention, feed = layer.self_attn, layer.mlp
    if mask is not None and not (isinstance(mask, Tensor) and mask.dim() == 4 and mask.shape[1] == 1):
        return False
    if (
        attention.attention_dropout
        or getattr(attention, "sliding_window", None)
        or type(feed.act_fn).__name__ not in _SILU
    ):
        return False
    if attention.config._attn_implementation not in ("sdpa", "eager") or len(hidden) == 0:
        return False
    return all(_is_stock(name, module) for name, module in _parts(layer))


def _parts(layer: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """What ``named_modules`` gives below a layer, several times faster."""
    for name, module in layer._modules.items():
        if module is not None:
            yield name, module
            if module._modules:
                yield from _parts(module)


def _is_stock(name: str, module: Any) -> bool:
    """Whether a module inside a layer is as transformers made it, but for our dropout."""
    hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values(), *module._backward_hooks.values())
    if name in ("self_attn", "mlp"):
        return len(hooks) <= 1 and all(isinstance(hook, Dropout) for hook in hooks)
    weight = getattr(module, "weight", None)
    plain = not name.endswith("_proj") or (type(module) is nn.Linear and module.bias is None)
    return plain and not hooks and (weight is None or (type(weight) is nn.Parameter and weight.dtype == torch.float32))


def _norm(rows: Tensor, module: Any) -> Tensor:
    result: Tensor = _Norm.apply(rows, module.weight, module.variance_epsilon)  # type: ignore[no-untyped-call]
    return result


def _drop_add(rows: Tensor, residual: Tensor, module: Any) -> Tensor:
    hook = next((hook for hook in module._forward_hooks.values() if isinstance(hook, Dropout)), None)
    if hook is None or not hook.probability:
        return residual + rows
    result: Tensor = _Drop.apply(rows, residual, _chances(hook.probability))  # type: ignore[no-untyped-call]
    return result


def _mix(attention: Any, projected: Tensor, angles: Any, mask: Tensor | None, shape: tuple[int, int]) -> Tensor:
    """Attention over projected rows, ``(rows, heads * head_dim)``."""
    cos, sin = (one.reshape(-1, one.shape[-1]) for one in angles)
    half = sin.shape[-1] // 2
    turns = torch.stack([cos, torch.cat([-sin[:, :half], sin[:, half:]], dim=1)])
    bias = None
    if mask is not None:
        bias = mask[:, 0]
        if bias.dtype == torch.bool:
            bias = torch.zeros(bias.shape).masked_fill_(~bias, torch.finfo(torch.float32).min)
        bias = bias[..., : shape[1]].float().contiguous()
    none = projected.new_zeros(0)
    query, key = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
    weights = [none if norm is None else norm.weight for norm in (query, key)]
    epsilon = 0.0 if query is None else query.variance_epsilon
    result: Tensor = _Attend.apply(  # type: ignore[no-untyped-call]
        projected, *weights, epsilon, turns, bias, shape, attention.head_dim, attention.num_key_value_groups
    )
    return result


def _kernels() -> Any:
    from genrec.models import layer_kernels

    return layer_kernels


def _attention() -> Any:
    from genrec.models import attention_kernels

    return attention_kernels


def _chances(probability: float) -> tuple[Any, ...]:
    """Two random numbers, and from where on a hash is kept, and by what it is multiplied then."""
    drawn = int(torch.randint(1 << 62, ()))
    first, second = np.uint32(drawn & 0xFFFFFFFF), np.uint32(drawn >> 31 & 0xFFFFFFFF)
    return first, second, np.uint32(probability * _EVERYTHING), np.float32(1 / (1 - probability))


class _Drop(Function):
    """Dropout of rows, plus a residual where there is one."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, residual: Tensor | None, chances: tuple[Any, ...]) -> Tensor:  # type: ignore[override]
        ctx.chances, ctx.adds = chances, residual is not None
        rows, out = rows.contiguous(), torch.empty(rows.shape)
        if residual is None:
            _kernels().drop(rows.numpy(), *chances, out.numpy())
        else:
            _kernels().drop_add(rows.numpy(), *chances, residual.contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        given = given.contiguous()
        out = torch.empty_like(given)
        _kernels().drop(given.numpy(), *ctx.chances, out.numpy())
        return out, given if ctx.adds else None, None


class _Norm(Function):
    """Rows over their root mean square, times a weight."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, epsilon: float) -> Tensor:  # type: ignore[override]
        rows = rows.contiguous()
        ctx.save_for_backward(rows, weight)
        ctx.epsilon = np.float32(epsilon)
        out = torch.empty_like(rows)
        _kernels().norm(rows.numpy(), weight.detach().numpy(), ctx.epsilon, out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        rows, weight = ctx.saved_tensors
        out, to_weight = torch.empty_like(rows), torch.zeros_like(weight)
        given = given.contiguous()
        arrays = [one.detach().numpy() for one in (rows, weight)]
        _kernels().norm_back(*arrays, ctx.epsilon, given.numpy(), out.numpy(), to_weight.numpy())
        return out, to_weight, None


class _Gate(Function):
    """The gated unit: SiLU of the first half of a row times the second."""

    @staticmethod
    def forward(ctx: Any, inner: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(inner)
        out = inner.new_empty(len(inner), inner.shape[1] // 2)
        _kernels().gate(inner.numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> Any:  # type: ignore[override]
        (inner,) = ctx.saved_tensors
        out = torch.empty_like(inner)
        _kernels().gate_back(inner.numpy(), given.contiguous().numpy(), out.numpy())
        return out


class _Attend(Function):
    """Normalised, rotated and mixed: what stands between the two products of an attention block."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        projected: Tensor,
        query_weight: Tensor,
        key_weight: Tensor,
        epsilon: float,
        angles: Tensor,
        bias: Tensor | None,
        shape: tuple[int, int],
        dim: int,
        share: int,
    ) -> Tensor:
        rows = projected.view(len(projected), -1, dim)
        heads = rows.shape[1] * share // (share + 2)
        weights = projected.new_empty(shape[0], heads, shape[1], shape[1])
        ctx.save_for_backward(rows, query_weight, key_weight, angles, weights)
        ctx.epsilon = np.float32(epsilon)
        out = projected.new_empty(len(rows), heads, dim)
        out[shape[0] * shape[1] :] = 0
        known = [one.detach().numpy() for one in (rows, query_weight, key_weight)]
        biases = (projected.new_empty(0, *shape[1:], *shape[1:]) if bias is None else bias).numpy()
        _attention().attend(*known, ctx.epsilon, angles.numpy(), biases, weights.numpy(), out.numpy())
        return out.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        rows, query_weight, key_weight, angles, weights = ctx.saved_tensors
        out = torch.empty_like(rows)
        out[weights.shape[0] * weights.shape[2] :] = 0
        to_query, to_key = torch.zeros_like(query_weight), torch.zeros_like(key_weight)
        known = [one.detach().numpy() for one in (rows, query_weight, key_weight)]
        wanted = given.contiguous().view(len(rows), -1, rows.shape[2]).numpy()
        made = [one.numpy() for one in (out, to_query, to_key)]
        _attention().attend_back(*known, ctx.epsilon, angles.numpy(), weights.numpy(), wanted, *made)
        grads = [one if len(one) else None for one in (to_query, to_key)]
        return out.flatten(1), *grads, None, None, None, None, None, None
