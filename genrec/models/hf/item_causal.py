"""Encoders that see an item of a history and what stands before it, in prompts of text and code tokens.

What such an encoder says of an item does not change when later items are known. So all items of a history can be
learned from one reading of the prompt: each from the tokens before it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def item_order(ids: Tensor, first_codes: Tensor) -> Tensor:
    """How many items have begun at every token, ``(rows, n)`` int64: text belongs to the item that it stands behind.

    Args:
        ids: ``(rows, n)`` int64 tokens of prompts.
        first_codes: Tokens of the first level's codes, one of which begins every item.

    Example:
        >>> item_order(torch.tensor([[7, 20, 31, 8, 21, 30, 9]]), torch.tensor([20, 21])).tolist()
        [[0, 1, 1, 1, 2, 2, 2]]
    """
    return torch.isin(ids, first_codes.to(ids.device)).long().cumsum(1)


def seen_before(order: Tensor, mask: Tensor) -> Tensor:
    """What every token sees, ``(rows, 1, n, n)`` bool: what is of its item or an earlier one, and no padding.

    Args:
        order: See :func:`item_order`.
        mask: ``(rows, n)``, 1 at real tokens. A padded column sees itself.
    """
    itself = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    seen = (order[:, :, None] >= order[:, None, :]) & mask.bool()[:, None, :]
    return (seen | itself)[:, None]


def read_prompts(model: Any, ids: Tensor, mask: Tensor, order: Tensor | None = None) -> Tensor:
    """What the encoder of an encoder-decoder makes of prompts, ``(rows, n, dim)``.

    Args:
        model: Of transformers.
        ids: ``(rows, n)`` int64.
        mask: ``(rows, n)``, 1 at real tokens.
        order: See :func:`item_order`; None: every token sees all.
    """
    encoder = model.get_encoder()
    if order is None:
        plain: Tensor = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return plain
    # additive where the attention adds masks up itself
    seen = torch.zeros(1, dtype=encoder.dtype, device=ids.device).expand(len(ids), 1, *[ids.shape[1]] * 2)
    seen = seen.masked_fill(~seen_before(order, mask), torch.finfo(encoder.dtype).min)
    memory: Tensor = encoder(input_ids=ids, attention_mask=seen).last_hidden_state
    return memory


@torch.no_grad()
def reads_item_causally(model: Any) -> bool:
    """Whether the encoder of a model takes such a mask, and what it says then does not depend on what comes later.

    Args:
        model: Of transformers.
    """
    if not model.config.is_encoder_decoder:
        return False
    was_training = model.training
    model.eval()
    try:
        device = model.get_input_embeddings().weight.device
        ids = torch.tensor([[1, 2, 3, 4, 2, 3, 1]], device=device)
        other, order = ids.clone(), torch.tensor([[0, 1, 1, 2, 2, 2, 2]], device=device)
        other[0, 3:] = torch.tensor([3, 1, 4, 2], device=device)
        mask = torch.ones_like(ids)
        first, second = (read_prompts(model, one, mask, order)[0].float() for one in (ids, other))
    except Exception:  # whatever a family of transformers raises means that it has no such mask
        return False
    finally:
        model.train(was_training)
    scale = float(first.abs().max())
    same = bool((first - second).abs()[:3].amax() <= 1e-5 * scale)
    return same and bool((first - second).abs()[3:].amax() > 1e-3 * scale)
