"""Prompts of different lengths as one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def pad_prompts(rows: Sequence[Sequence[int]], tokenizer: Any, side: str) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``attention_mask`` ``(rows, longest)`` int64, padded on one side."""
    import torch

    # Any id will do where a tokenizer has none for padding: the mask hides it.
    filler = next((n for n in (tokenizer.pad_token_id, tokenizer.eos_token_id) if n is not None), 0)
    longest = max((len(row) for row in rows), default=0)
    ids = torch.full((len(rows), longest), filler, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for n, row in enumerate(rows):
        place = slice(longest - len(row), longest) if side == "left" else slice(0, len(row))
        ids[n, place] = torch.as_tensor(row, dtype=torch.int64)
        mask[n, place] = 1
    return {"input_ids": ids, "attention_mask": mask}
