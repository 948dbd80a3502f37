"""T5 stacks over columns that are no plain sequence.

T5 numbers the columns of its input to find their distances. The beams of a tree stand side by side instead, several at
the same position; so the stock blocks are called one by one with the bias of the true distances.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import EncoderDecoderCache


def first_attention(stack: Any) -> Any:
    """The layer that holds the relative position bias of a T5 stack."""
    return stack.block[0].layer[0].SelfAttention


def level_bias(stack: Any, level: int, columns: Tensor) -> Tensor:
    """Bias of queries at one position towards columns at their true positions.

    Args:
        stack: Decoder stack.
        level: Position of all queries.
        columns: ``(n,)`` int64 positions of the columns, none later than ``level``.

    Returns:
        ``(1, heads, 1, n)``.
    """
    table = first_attention(stack).compute_bias(level + 1, level + 1, device=columns.device)
    return table[:, :, level:].index_select(3, columns)


def run_blocks(
    stack: Any,
    vectors: Tensor,
    bias: Tensor,
    memory: Tensor | None = None,
    memory_bias: Tensor | None = None,
    cache: EncoderDecoderCache | None = None,
) -> Tensor:
    """Hidden states of a stack, with masks and position bias added up once and not again in every layer.

    Args:
        stack: Encoder or decoder stack.
        vectors: ``(users, n, dim)``.
        bias: ``(users, heads, n, keys)``: relative bias plus additive mask.
        memory: ``(users, m, dim)`` output of the encoder.
        memory_bias: ``(users, 1, 1, m)`` additive mask over ``memory``.
        cache: Of both attentions; the memory is projected only the first time.

    Returns:
        ``(users, n, dim)``, normalised.
    """
    hidden = stack.dropout(vectors)
    for block in stack.block:
        hidden = block(
            hidden,
            position_bias=bias,
            encoder_hidden_states=memory,
            encoder_decoder_position_bias=memory_bias,
            past_key_values=cache,
            is_causal=False,  # the bias says it all; without a mask the attention would add a causal one by columns
        )[0]
    return stack.dropout(stack.final_layer_norm(hidden))


def key_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask ``(users, 1, 1, n)`` of columns ``mask (users, n)`` that every query may read or not."""
    result = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return result.masked_fill_(~mask, torch.finfo(dtype).min)[:, None, None]
