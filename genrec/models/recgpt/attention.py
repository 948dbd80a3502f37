"""Who may attend to whom, as policies over ``(segment, item, level)`` of every token instead of over columns.

A policy fits a head or it does not: :func:`check_pairing` refuses the pairs that leak or mean nothing.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from genrec.errors import ModelError

Attention = Literal["causal", "block-causal", "set"]
"""``causal``: a token sees the tokens before it. ``block-causal``: a token sees all tokens of its own and of earlier
items (the hybrid attention of RecGPT, https://arxiv.org/abs/2506.06270). ``set``: a token sees itself and all tokens of
earlier items, and the tokens of an item share one position (SETRec, https://arxiv.org/abs/2502.10833)."""

Head = Literal["parallel", "autoregressive"]
"""``parallel``: the tokens of an item predict all codes of the next item at once. ``autoregressive``: every token
predicts the one that follows it."""

POLICIES = ("causal", "block-causal", "set")
HEADS = ("parallel", "autoregressive")


def check_pairing(attention: str, head: str) -> None:
    """Refuse a mask and a head that do not fit.

    Raises:
        ModelError: An unknown name, or a pair that leaks the target or cannot use what it sees; says why.
    """
    for name, value, known in (("attention", attention, POLICIES), ("head", head, HEADS)):
        if value not in known:
            raise ModelError(f"Unknown {name} '{value}'.", where=f"model.{name}", expected="one of " + ", ".join(known))
    if head == "parallel" or attention == "causal":
        return
    reason = {
        "block-causal": "A token would see the later codes of its own item, which are exactly what it has to predict: "
        "training would learn to copy them, and they are missing when decoding.",
        "set": "The codes of an item do not see each other, so a code could not depend on the codes before it.",
    }[attention]
    raise ModelError(
        f"{attention} attention does not go with an autoregressive head. {reason}",
        where="model.attention",
        expected="causal attention with an autoregressive head, or a parallel head",
        hint="Use head: parallel, or attention: causal.",
    )


def allowed(policy: str, segment: Tensor, item: Tensor, level: Tensor) -> Tensor:
    """Which tokens see which.

    Args:
        policy: See :data:`Attention`.
        segment: ``(rows, n)`` int64: whose history a token belongs to, -1 for padding. Users may share a row.
        item: ``(rows, n)`` int64: place of the token's item in its history.
        level: ``(rows, n)`` or ``(1, n)`` int64: level or slot of the token's code.

    Returns:
        ``(rows, n, n)`` bool, query by key. Every token sees itself, padding too.
    """
    query, key = item[:, :, None], item[:, None, :]
    earlier, same = key < query, key == query
    above, below = level[:, :, None], level[:, None, :]
    if policy == "block-causal":
        seen = earlier | same
    elif policy == "causal":
        seen = earlier | (same & (below <= above))
    else:
        seen = earlier | (same & (below == above))
    together = (segment[:, :, None] == segment[:, None, :]) & (segment >= 0)[:, None, :]
    itself = torch.eye(item.shape[1], dtype=torch.bool, device=item.device)
    return (seen & together) | itself


def token_positions(policy: str, item: Tensor, level: Tensor, n_levels: int) -> Tensor:
    """Positions for the backbone, of the shape of ``item``: tokens of an item share one under ``set``."""
    return item if policy == "set" else item * n_levels + level


def item_positions(mask: Tensor, segments: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Place of every item in its own history, whatever padding stands around it.

    Args:
        mask: ``(rows, items)`` bool, False at padding.
        segments: ``(rows, items)`` int64 number of the user inside the row, in blocks; None: one user a row.

    Returns:
        ``segment (rows, items)`` int64 with -1 at padding, and ``position (rows, items)`` int64 from 0.
    """
    segment = torch.where(mask, torch.zeros_like(mask, dtype=torch.int64) if segments is None else segments, -1)
    order = mask.long().cumsum(1) - 1  # place among the real items of the row
    starts = torch.ones_like(mask)
    starts[:, 1:] = segment[:, 1:] != segment[:, :-1]
    first = torch.where(starts & mask, order, 0)
    first = torch.zeros_like(order) if segments is None else first.cummax(1).values
    return segment, (order - first).clamp_min(0)
