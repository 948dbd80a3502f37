"""T5 stacks on whole histories: one reading of the encoder, and a short row of codes for every item that is predicted.

The encoder's attention runs both ways inside an item and only backwards between items, so what it says of an item
does not change when later items are known. A row of the decoder then reads what stands before its item, and one pass
gives what a pass for every prefix would give.

The blocks are the stock ones, called part by part, with what :mod:`genrec.models.quick_training` has for a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from genrec.models.quick_training import dropout, product, product_dtype
from genrec.models.t5.stock_blocks import first_attention


def item_of_columns(columns: int, levels: int, device: torch.device | None = None) -> Tensor:
    """Which item every token of a history belongs to, ``(columns,)``: 0 for the start, 1 for the first item's codes."""
    return (torch.arange(columns, device=device) + levels - 1) // levels


def read_history(stack: Any, vectors: Tensor, bias: Tensor) -> Tensor:
    """Output of an encoder, ``(users, n, dim)``.

    Args:
        stack: Encoder.
        vectors: ``(users, n, dim)``.
        bias: ``(users or 1, heads, n, n)`` relative bias plus additive mask.
    """
    p = stack.dropout.p if stack.training else 0.0
    hidden = dropout(vectors, p)
    for block in stack.block:
        hidden = _through(block, _history_block, hidden, bias, p)
    return dropout(stack.final_layer_norm(hidden), p)


def read_rows(stack: Any, vectors: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
    """States of a decoder that predict the codes of many items of a user, every item from what stands before it.

    Args:
        stack: Decoder.
        vectors: ``(users, items, levels, dim)`` the start and the codes but the last one.
        memory: ``(users, n, dim)`` output of the encoder.
        visible: ``(users or 1, 1, items * levels, n)`` additive mask over it.

    Returns:
        ``(users, items, levels, dim)``.
    """
    users, items, levels, dim = vectors.shape
    p = stack.dropout.p if stack.training else 0.0
    bias = first_attention(stack).compute_bias(levels, levels, device=vectors.device)[0]
    hidden = dropout(vectors.flatten(0, 1), p)
    for block in stack.block:
        hidden = _through(block, _rows_block, hidden, bias, memory, visible, p)
    return dropout(stack.final_layer_norm(hidden), p).view(users, items, levels, dim)


def _through(block: Any, work: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """A block's work, done again on the way back where checkpointing is on, as the block itself would."""
    if block.training and getattr(block, "gradient_checkpointing", False):
        again: Tensor = checkpoint(work, block, *inputs, use_reentrant=False)
        return again
    return work(block, *inputs)


def _history_block(block: Any, hidden: Tensor, bias: Tensor, p: float) -> Tensor:
    hidden = _attend(block.layer[0], block.layer[0].SelfAttention, hidden, None, bias, p)
    return _feed(block.layer[-1], hidden, p)


def _rows_block(block: Any, hidden: Tensor, bias: Tensor, memory: Tensor, visible: Tensor, p: float) -> Tensor:
    rows = hidden.shape
    hidden = _attend_in_row(block.layer[0], hidden, bias, p).view(len(memory), -1, rows[-1])
    hidden = _attend(block.layer[1], block.layer[1].EncDecAttention, hidden, memory, visible, p)
    return _feed(block.layer[-1], hidden, p).view(rows)


def _attend(layer: Any, attention: Any, hidden: Tensor, memory: Tensor | None, bias: Tensor, p: float) -> Tensor:
    """Attention with its norm and residual: over ``memory``, or over ``hidden`` itself where there is none."""
    users, n, _ = hidden.shape
    heads, rows = attention.n_heads, _normed(layer, attention.q, hidden)
    source = rows if memory is None else memory.to(rows.dtype)
    query, key, value = (
        product(linear, given).view(users, -1, heads, attention.key_value_proj_dim).transpose(1, 2)
        for linear, given in ((attention.q, rows), (attention.k, source), (attention.v, source))
    )
    if hidden.device.type == "cpu":
        scores = (query @ key.transpose(2, 3)).to(bias.dtype).add_(bias)
        mixed = dropout(scores.softmax(-1).to(value.dtype), p) @ value
    else:
        mixed = F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype), dropout_p=p, scale=1.0)
    return hidden + dropout(product(attention.o, mixed.transpose(1, 2).reshape(users, n, -1)), p)


def _attend_in_row(layer: Any, hidden: Tensor, bias: Tensor, p: float) -> Tensor:
    """Causal self-attention of short rows ``(rows, levels, dim)``, with its norm and residual.

    A batched product of matrices of three rows is slower on a CPU than the sums written out.

    Args:
        layer: Of a decoder block.
        hidden: As above.
        bias: ``(heads, levels, levels)``.
        p: Of dropout.
    """
    attention, (count, levels, _) = layer.SelfAttention, hidden.shape
    rows = _normed(layer, attention.q, hidden)
    shape = (count, levels, attention.n_heads, attention.key_value_proj_dim)
    query, key, value = (product(one, rows).view(shape) for one in (attention.q, attention.k, attention.v))
    mixed = []
    for level in range(levels):
        known = slice(level + 1)
        scores = (query[:, level, None] * key[:, known]).sum(-1) + bias[:, level, known].T
        weights = dropout(scores.softmax(1).to(value.dtype), p)  # (rows, known levels, heads)
        mixed.append((weights[..., None] * value[:, known]).sum(1))
    joined = torch.stack(mixed, dim=1).flatten(2)
    return hidden + dropout(product(attention.o, joined), p)


def _feed(layer: Any, hidden: Tensor, p: float) -> Tensor:
    """Feed-forward block with its norm and residual."""
    dense = layer.DenseReluDense
    rows = _normed(layer, dense.wo, hidden)
    if hasattr(dense, "wi_1"):
        inner = dense.act(product(dense.wi_0, rows)) * product(dense.wi_1, rows)
    else:
        inner = dense.act(product(dense.wi, rows))
    return hidden + dropout(product(dense.wo, dropout(inner, p)), p)


def _normed(layer: Any, linear: Any, hidden: Tensor) -> Tensor:
    """What a layer's products read, in the type that they are computed in."""
    rows: Tensor = layer.layer_norm(hidden)
    return rows.to(product_dtype(linear, rows, layer.training))
