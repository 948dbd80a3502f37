"""T5 stacks for decoding: the weights of the stock blocks in a layout for few rows, and beams that share their prefix.

Profiles of the stock blocks on a CPU show where time is lost: matrices rearranged for every product, three
projections where one would do, and attention over all columns of a tree of which a beam sees as many as it has levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.models.packed_products import Product
from genrec.models.quick_training import has_bfloat16
from genrec.models.t5.attention import attend, attend_to_ancestors, merge_heads, split_heads

_BIASES = 64  # lengths whose relative bias is remembered
_MOST_BYTES = 1 << 26  # larger tables of projected rows are not made
_TOKENS = 1024  # that a CPU encodes at once: more leave its caches, which takes 10 % longer
_LINEARS = {"q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo"}


@dataclass(frozen=True)
class _Layer:
    """Weights of one block, the scales of the norms before them multiplied in."""

    qkv: Product
    out: Product
    cross_query: Product | None
    cross_out: Product | None
    feed_in: Product
    feed_out: Product


@dataclass(frozen=True)
class Rows:
    """Vectors that are rows of a table, such as embedded tokens.

    Where a table is short, the first layer's projections of all its rows are made once and looked up.

    Attributes:
        table: Parts of the table, ``(n, dim)`` or ``(dim,)`` each, one under the other.
        numbers: ``(users, n)`` int64 rows.
    """

    table: tuple[Tensor, ...]
    numbers: Tensor

    def vectors(self) -> Tensor:
        """``(users, n, dim)``."""
        return F.embedding(self.numbers, self.joined())

    def joined(self) -> Tensor:
        """The whole table, ``(rows, dim)``."""
        parts = [part if part.dim() == 2 else part[None] for part in self.table]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @property
    def key(self) -> object:
        """Changes with the weights, as far as torch tells."""
        return [(one.data_ptr(), one.shape, 0 if one.is_inference() else one._version) for one in self.table]


class FusedStack:
    """The weights of a T5 stack as they are now.

    Args:
        stack: ``T5Stack`` in evaluation mode, encoder or decoder, see :func:`can_fuse`.
        dtype: What is computed in, see :func:`compute_dtype`.

    Attributes:
        heads: Number of attention heads.
        inner: Width of all heads together.
    """

    def __init__(self, stack: Any, dtype: torch.dtype) -> None:
        self.dtype, self.wide = dtype, torch.promote_types(dtype, torch.float32)
        attention = stack.block[0].layer[0].SelfAttention
        self.heads, self.inner = int(attention.n_heads), int(attention.inner_dim)
        self._compute_bias: Callable[..., Tensor] = attention.compute_bias
        self._biases: dict[int, Tensor] = {}
        self._entry: tuple[object, tuple[Tensor, Tensor] | None] = (None, None)  # one thing: threads share it
        feed = stack.block[0].layer[-1].DenseReluDense
        self.act, self.gated = feed.act, hasattr(feed, "wi_1")
        self.layers = [self._layer(block) for block in stack.block]
        self.final = self._scale(stack.final_layer_norm).to(dtype)
        norm = stack.final_layer_norm
        self.epsilon = self._scale(norm).new_tensor(math.sqrt(norm.variance_epsilon * len(norm.weight)))
        if len(stack.block[0].layer) == 3:
            crossed = [block.layer[1].EncDecAttention for block in stack.block]
            self.memory = [(self._join([one.k]), self._join([one.v])) for one in crossed]

    def _layer(self, block: Any) -> _Layer:
        own, feed = block.layer[0], block.layer[-1]
        cross = block.layer[1] if len(block.layer) == 3 else None
        attention, dense = own.SelfAttention, feed.DenseReluDense
        inner = [dense.wi_0, dense.wi_1] if self.gated else [dense.wi]
        return _Layer(
            qkv=self._join([attention.q, attention.k, attention.v], own.layer_norm),
            out=self._join([attention.o]),
            cross_query=None if cross is None else self._join([cross.EncDecAttention.q], cross.layer_norm),
            cross_out=None if cross is None else self._join([cross.EncDecAttention.o]),
            feed_in=self._join(inner, feed.layer_norm),
            feed_out=self._join([dense.wo]),
        )

    def _join(self, linears: list[nn.Linear], norm: Any = None) -> Product:
        weight = torch.cat([linear.weight.detach() for linear in linears]).to(self.wide)
        if norm is not None:
            weight = weight * self._scale(norm)
        return Product(weight.to(self.dtype))

    def _scale(self, norm: Any) -> Tensor:
        """Scale of a norm for rows of length one instead of mean square one."""
        return norm.weight.detach().to(self.wide) * math.sqrt(len(norm.weight))

    def bias(self, n: int, device: torch.device) -> Tensor:
        """Relative bias of ``n`` columns to each other, ``(1, heads, n, n)``, remembered."""
        bias = self._biases.get(n)
        if bias is None:
            if len(self._biases) >= _BIASES:
                self._biases.clear()
            self._biases[n] = bias = self._compute_bias(n, n, device=device).to(self.dtype)
        return bias

    def enter(self, inputs: Tensor | Rows) -> tuple[Tensor, Tensor]:
        """Inputs of the first layer.

        Args:
            inputs: ``(users, n, dim)`` vectors, or where they stand.

        Returns:
            ``(users * n, dim)`` in the type that is computed in, and their ``(users * n, 3 * inner)`` queries, keys and
            values.
        """
        if isinstance(inputs, Rows):
            entry = self._tabulate(inputs)
            if entry is not None:
                numbers = inputs.numbers.flatten()
                return entry[0].index_select(0, numbers), entry[1].index_select(0, numbers)
            inputs = inputs.vectors()
        hidden = inputs.to(self.dtype).reshape(-1, inputs.shape[-1])
        return hidden, self.layers[0].qkv(self.norm(hidden))

    def _tabulate(self, rows: Rows) -> tuple[Tensor, Tensor] | None:
        """What :meth:`enter` gives for the whole table; None where it is too long for that."""
        length = sum(part.numel() for part in rows.table) // rows.table[0].shape[-1]
        if 3 * self.inner * length * self.dtype.itemsize > _MOST_BYTES:
            return None
        (known, entry), key = self._entry, rows.key
        if key != known:
            entry = self.enter(rows.joined()[None])
            self._entry = key, entry
        return entry

    def norm(self, hidden: Tensor) -> Tensor:
        """Rows ``(rows, dim)`` of length one (but for epsilon): the weights hold the rest of the norm."""
        wide = hidden.to(self.wide)
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        return (wide / torch.hypot(length, self.epsilon)).to(self.dtype)

    def feed(self, hidden: Tensor, layer: _Layer) -> Tensor:
        """Feed-forward block with its residual, ``(rows, dim)``."""
        rows = self.norm(hidden)
        if self.gated:
            gate, value = layer.feed_in(rows).chunk(2, dim=-1)
            inner = self.act(gate).mul_(value)
        else:
            inner = layer.feed_in.relu(rows) if isinstance(self.act, nn.ReLU) else self.act(layer.feed_in(rows))
        return layer.feed_out.add(inner, hidden)


def encode(stack: FusedStack, inputs: Tensor | Rows, bias: Tensor) -> Tensor:
    """Output of an encoder.

    Args:
        stack: The encoder.
        inputs: ``(users, n, dim)`` vectors, or where they stand.
        bias: ``(users or 1, heads, n, n)`` relative bias plus additive mask.

    Returns:
        ``(users, n, dim)``, normalised.
    """
    tensor = inputs.numbers if isinstance(inputs, Rows) else inputs
    users, n = tensor.shape[:2]
    parts = min(users, -(-users * n // _TOKENS)) if tensor.device.type == "cpu" else 1
    if parts <= 1:
        return _encode(stack, inputs, bias, users, n)
    biases = bias.tensor_split(parts) if len(bias) == users else [bias] * parts
    memory = [
        _encode(stack, replace(inputs, numbers=one) if isinstance(inputs, Rows) else one, own, len(one), n)
        for one, own in zip(tensor.tensor_split(parts), biases, strict=True)
    ]
    return torch.cat(memory)


def _encode(stack: FusedStack, inputs: Tensor | Rows, bias: Tensor, users: int, n: int) -> Tensor:
    (hidden, entry), bias = stack.enter(inputs), bias.to(stack.dtype)
    for number, layer in enumerate(stack.layers):
        projected = (layer.qkv(stack.norm(hidden)) if number else entry).chunk(3, dim=1)
        query, key, value = (split_heads(part, users, stack.heads) for part in projected)
        mixed = merge_heads(attend(query, key, value, bias, stack.heads), users)
        hidden = layer.out.add(mixed, hidden)
        hidden = stack.feed(hidden, layer)
    return (stack.norm(hidden) * stack.final).view(users, n, -1)


@dataclass
class Beams:
    """What the decoder remembers; every step makes new lists and tensors, so a copy can be continued on its own.

    Attributes:
        memory: Per layer, keys and values of the encoder's output, ``(users * heads, n, head_dim)`` each.
        visible: ``(users, 1, 1, n)`` additive mask over them, None where nothing is padding.
        levels: Per level and layer, keys beside values ``(users * beams, 2 * inner)``.
        ancestors: Per level but the first, which beam each newest beam stands under, ``(users, beams)``.
        widths: Beams of every level.
    """

    memory: tuple[tuple[Tensor, Tensor], ...]
    visible: Tensor | None
    levels: tuple[list[Tensor], ...] = ()
    ancestors: tuple[Tensor, ...] = ()
    widths: tuple[int, ...] = ()


def start(stack: FusedStack, memory: Tensor, visible: Tensor) -> Beams:
    """Project the encoder's output for all layers.

    Args:
        stack: The decoder.
        memory: ``(users, n, dim)``.
        visible: ``(users, 1, 1, n)`` additive mask.
    """
    users = len(memory)
    rows = memory.to(stack.dtype).flatten(0, 1)
    projected = tuple(
        (split_heads(key(rows), users, stack.heads), split_heads(value(rows), users, stack.heads))
        for key, value in stack.memory
    )
    hidden = bool((visible < 0).any())
    return Beams(projected, visible.to(stack.dtype) if hidden else None)


def step(stack: FusedStack, state: Beams, inputs: Tensor | Rows, parents: Tensor | None) -> tuple[Tensor, Beams]:
    """Decode one level.

    A beam attends to its own ancestors only, so work and memory grow with beams times levels.

    Args:
        stack: The decoder.
        state: Of the levels before.
        inputs: ``(users, beams, dim)`` embedded codes, or where they stand.
        parents: ``(users, beams)`` which beam of the level before each beam continues; None at the first level.

    Returns:
        ``(users, beams, dim)`` normalised hidden states, and the next state.
    """
    users, beams = (inputs.numbers if isinstance(inputs, Rows) else inputs).shape[:2]
    level, head = len(state.levels), stack.inner // stack.heads
    ancestors = state.ancestors
    if parents is not None and level > 1:
        ancestors = (*(one.gather(1, parents) for one in ancestors), parents)
    rows = [_rows(one, width) for one, width in zip(ancestors, state.widths[1:], strict=True)]
    hidden, entry = stack.enter(inputs)
    bias = stack.bias(level + 1, hidden.device)[0, :, level].T
    kept: list[Tensor] = []
    for number, layer in enumerate(stack.layers):
        projected = layer.qkv(stack.norm(hidden)) if number else entry
        query, own = projected.split((stack.inner, 2 * stack.inner), dim=1)
        kept.append(own)
        known = [level[number] for level in state.levels]
        pairs = [*known[:1], *(one.index_select(0, row) for one, row in zip(known[1:], rows, strict=True)), own]
        mixed = attend_to_ancestors(query, [pair.view(users, -1, 2, stack.heads, head) for pair in pairs], bias)
        hidden = layer.out.add(mixed, hidden)
        hidden = _cross(stack, layer, hidden, state, number, users)
        hidden = stack.feed(hidden, layer)
    following = Beams(state.memory, state.visible, (*state.levels, kept), ancestors, (*state.widths, beams))
    return (stack.norm(hidden) * stack.final).view(users, beams, -1), following


def _rows(beams: Tensor, width: int) -> Tensor:
    """Beams ``(users, n)`` as rows of ``(users * width, ...)``, flat."""
    first = torch.arange(0, len(beams) * width, width, device=beams.device)
    return (beams + first[:, None]).flatten()


def _cross(stack: FusedStack, layer: _Layer, hidden: Tensor, state: Beams, number: int, users: int) -> Tensor:
    """Attention to the encoder's output, with its residual; the beams of a user are rows of one query."""
    if layer.cross_query is None or layer.cross_out is None:
        raise TypeError("An encoder cannot decode.")
    query = split_heads(layer.cross_query(stack.norm(hidden)), users, stack.heads)
    mixed = attend(query, *state.memory[number], state.visible, stack.heads)
    return layer.cross_out.add(merge_heads(mixed, users), hidden)


def can_fuse(stack: Any) -> bool:
    """Whether a stack is what :class:`FusedStack` reads: plain linear layers, in evaluation mode, and not in float16.

    Layers that an adapter or a quantizer has wrapped are not; they keep their own forward.
    """
    linears = [one for block in stack.block for name, one in block.named_modules() if name.split(".")[-1] in _LINEARS]
    plain = all(type(one) is nn.Linear and one.bias is None for one in linears)
    return plain and not stack.training and linears[0].weight.dtype != torch.float16


def compute_dtype(weight: Tensor) -> torch.dtype:
    """The type that is computed in: that of the weights, but float32 where a CPU only emulates bfloat16."""
    if weight.dtype == torch.bfloat16 and weight.device.type == "cpu" and not has_bfloat16():
        return torch.float32
    return weight.dtype
