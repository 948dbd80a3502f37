"""A batch of prompts as one sequence: no padding is computed, and what all begin with is read once.

Every prompt of a task begins with the same words. These stand once, in front; behind them the rest of every row, one
after the other. Only attention knows rows: each sees the words in front and itself. Everything else in a transformer is
done token by token, so the states are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

NAME = "genrec_packed"
"""Of the attention, among those of transformers: packed where a call says how, else their ``sdpa``."""
_KEYWORD = "genrec_packed_prompts"


@dataclass
class PackedPrompts:
    """Where the tokens of a batch stand in one sequence.

    Attributes:
        shared: Tokens that all rows begin with.
        lengths: ``(rows,)`` int64 tokens of every row behind those.
        grid: ``(rows, longest)`` int64 place in the sequence of every token behind those; 0 where a row is shorter.
        flat: ``(n,)`` int64 place in the grid, row by row, of all tokens behind those.
        input_ids: ``(1, shared + n)`` int64.
        position_ids: ``(1, shared + n)`` int64.
    """

    shared: int
    lengths: Tensor
    grid: Tensor
    flat: Tensor
    input_ids: Tensor
    position_ids: Tensor

    @classmethod
    def of(cls, input_ids: Tensor, mask: Tensor) -> PackedPrompts | None:
        """Of a batch ``(rows, n)`` padded on the right; None where it is padded otherwise."""
        real = mask.bool()
        if not input_ids.numel() or bool((real[:, 1:] > real[:, :-1]).any()) or not bool(real[:, 0].all()):
            return None
        lengths = real.sum(1)
        shared = _shared(input_ids, int(lengths.min()))
        own, columns = real[:, shared:], torch.arange(input_ids.shape[1] - shared, device=input_ids.device)
        flat = own.flatten().nonzero()[:, 0]
        grid = torch.zeros(own.numel(), dtype=torch.int64, device=input_ids.device)
        grid[flat] = shared + torch.arange(len(flat), device=input_ids.device)
        front = torch.arange(shared, device=input_ids.device)
        return cls(
            shared,
            lengths - shared,
            grid.view(own.shape),
            flat,
            torch.cat([input_ids[0, :shared], input_ids[:, shared:].flatten()[flat]])[None],
            torch.cat([front, (shared + columns).expand(own.shape).flatten()[flat]])[None],
        )

    def places(self) -> Tensor:
        """Place in the sequence of every token of the batch, ``(rows, n)``; 0 at padding."""
        front = torch.arange(self.shared, device=self.grid.device).expand(len(self.grid), -1)
        return torch.cat([front, self.grid], dim=1)


def _shared(input_ids: Tensor, shortest: int) -> int:
    """Tokens that all rows begin with; every row keeps one of its own."""
    if len(input_ids) < 2:
        return 0
    same = (input_ids[:, : shortest - 1] == input_ids[:1, : shortest - 1]).all(0)
    return int(same.long().cumprod(0).sum())


def read_packed(network: Any, prompts: PackedPrompts) -> Tensor:
    """States of all tokens of the sequence, ``(shared + n, dim)``.

    Args:
        network: A decoder of transformers without its output layer; see :func:`use_packed_attention`.
        prompts: What is read.
    """
    dummy = torch.zeros(1, 1, 1, 1, dtype=network.dtype, device=prompts.input_ids.device)  # no mask is to be made
    states: Tensor = network(
        input_ids=prompts.input_ids,
        position_ids=prompts.position_ids,
        attention_mask=dummy,
        use_cache=False,
        **{_KEYWORD: prompts},
    ).last_hidden_state
    return states[0]


def use_packed_attention(network: Any) -> None:
    """Let a decoder of transformers with ``sdpa`` attention take :data:`NAME`, which is the same for any other call."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    network.config._attn_implementation = NAME


def use_plain_attention(network: Any) -> None:
    """Undo :func:`use_packed_attention`."""
    if network.config._attn_implementation == NAME:
        network.config._attn_implementation = "sdpa"


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attention as transformers calls it: ``query (1, heads, n, dim)``; the result is ``(1, n, heads, dim)``."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    prompts = options.pop(_KEYWORD, None)
    if prompts is None:
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return found
    if options.get("dropout") or any(options.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise NotImplementedError("this attention does more than packed prompts know")
    scale = options.get("scaling")
    scale = query.shape[-1] ** -0.5 if scale is None else float(scale)
    window = options.get("sliding_window")
    flat = [one[0].transpose(0, 1) for one in (query, key, value)]
    output: Tensor = _PackedAttention.apply(*flat, prompts, scale, None if window is None else int(window))
    return output[None], None


class _PackedAttention(torch.autograd.Function):
    """Softmax attention of packed rows; probabilities are computed again on the way back."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, prompts: PackedPrompts, scale: float, window: int | None
    ) -> Tensor:
        """The result, ``(n, heads, dim)``.

        Args:
            ctx: Of autograd.
            query: ``(n, heads, dim)``.
            key: ``(n, key heads, dim)``.
            value: The same.
            prompts: How rows stand in the sequence.
            scale: Factor on the products.
            window: How many tokens before it a token sees, itself among them; None: all.
        """
        ctx.save_for_backward(query, key, value)
        ctx.prompts, ctx.scale, ctx.window = prompts, scale, window
        output = torch.empty_like(query, memory_format=torch.contiguous_format)
        for part in _parts(query, key, value, prompts, window):
            found = part.probabilities(scale) @ part.value
            part.put(output, found)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Gradients of query, key and value."""
        query, key, value = ctx.saved_tensors
        gradients = tuple(torch.zeros_like(one, memory_format=torch.contiguous_format) for one in (query, key, value))
        for part in _parts(query, key, value, ctx.prompts, ctx.window):
            outer = part.real_only(part.queries_of(gradient))
            weights = part.probabilities(ctx.scale)
            inner = outer @ part.value.transpose(-1, -2)
            moved = inner.sub_((inner * weights).sum(-1, keepdim=True)).mul_(weights).mul_(ctx.scale)
            part.put(gradients[0], moved @ part.key)
            part.add_keys(gradients[1], moved.transpose(-1, -2) @ part.query)
            part.add_keys(gradients[2], weights.transpose(-1, -2) @ outer)
        return (*gradients, None, None, None)


def _parts(query: Tensor, key: Tensor, value: Tensor, prompts: PackedPrompts, window: int | None) -> list[_Part]:
    """The words in front, where there are any, and the rows behind them."""
    rows = _Part(query, key, value, prompts.grid, prompts.flat, prompts.shared, window)
    if not prompts.shared:
        return [rows]
    front = torch.arange(prompts.shared, device=query.device)
    return [_Part(query, key, value, front[None], front, 0, window), rows]


class _Part:
    """Rows of one length, padded, that all see the same tokens in front.

    Heads that share keys stand one behind the other among the queries, so that keys are never repeated.

    Args:
        query: ``(n, heads, dim)`` of the whole sequence.
        key: ``(n, key heads, dim)``.
        value: The same.
        grid: ``(rows, longest)`` places in the sequence.
        flat: ``(m,)`` places in the grid of what is real.
        front: Tokens at the head of the sequence that every row sees.
        window: See :class:`_PackedAttention`.
    """

    def __init__(
        self, query: Tensor, key: Tensor, value: Tensor, grid: Tensor, flat: Tensor, front: int, window: int | None
    ) -> None:
        self.grid, self.flat, self.front, self.window = grid, flat, front, window
        self.rows, self.longest = grid.shape
        self.heads, self.key_heads = query.shape[1], key.shape[1]
        self.groups = self.heads // self.key_heads
        self.first = int(grid.flatten()[flat[0]])  # real tokens stand in the sequence one behind the other
        self.query = self.queries_of(query)
        self.key, self.value = self._keys_of(key), self._keys_of(value)

    def queries_of(self, flat: Tensor) -> Tensor:
        """``(n, heads, dim)`` of the sequence as ``(rows, key heads, groups * longest, dim)``."""
        found = flat.index_select(0, self.grid.flatten()).view(self.rows, self.longest, self.key_heads, self.groups, -1)
        return found.permute(0, 2, 3, 1, 4).reshape(self.rows, self.key_heads, self.groups * self.longest, -1)

    def real_only(self, queries: Tensor) -> Tensor:
        """Queries, in place, with zeros where a row has ended."""
        if len(self.flat) < self.grid.numel():
            ended = torch.ones(self.grid.numel(), dtype=torch.bool, device=queries.device)
            ended[self.flat] = False
            ended = ended.view(self.rows, 1, self.longest).repeat(1, 1, self.groups)
            queries.masked_fill_(ended[..., None], 0)
        return queries

    def _keys_of(self, flat: Tensor) -> Tensor:
        """``(n, key heads, dim)`` of the sequence as ``(rows, key heads, front + longest, dim)``."""
        own = flat.index_select(0, self.grid.flatten()).view(self.rows, self.longest, self.key_heads, -1)
        front = flat[: self.front].expand(self.rows, -1, -1, -1)
        return torch.cat([front, own], dim=1).transpose(1, 2).contiguous()

    def probabilities(self, scale: float) -> Tensor:
        """``(rows, key heads, groups * longest, front + longest)`` in the type of the queries."""
        scores = ((self.query * scale) @ self.key.transpose(-1, -2)).float()
        at = self.front + torch.arange(self.longest, device=scores.device)
        seen = torch.arange(self.front + self.longest, device=scores.device)
        hidden = seen > at[:, None]
        if self.window is not None:
            hidden |= at[:, None] - seen >= self.window
        blocked = torch.zeros(hidden.shape, device=scores.device).masked_fill_(hidden, -torch.inf)
        weights: Tensor = scores.add_(blocked.repeat(self.groups, 1)).softmax(-1).to(self.query.dtype)
        return weights

    def put(self, into: Tensor, found: Tensor) -> None:
        """Write what was found for the queries into ``(n, heads, dim)`` of the sequence."""
        dim = found.shape[-1]
        found = found.view(self.rows, self.key_heads, self.groups, self.longest, dim).permute(0, 3, 1, 2, 4)
        found = found.reshape(self.rows * self.longest, self.heads, dim).index_select(0, self.flat)
        into[self.first : self.first + len(self.flat)] = found

    def add_keys(self, into: Tensor, found: Tensor) -> None:
        """Add what was found for the keys to ``(n, key heads, dim)`` of the sequence."""
        found = found.transpose(1, 2)
        if self.front:
            into[: self.front] += found[:, : self.front].float().sum(0).to(into.dtype)
        own = found[:, self.front :].reshape(self.rows * self.longest, self.key_heads, -1).index_select(0, self.flat)
        into[self.first : self.first + len(self.flat)] += own
