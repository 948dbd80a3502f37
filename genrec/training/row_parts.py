"""A batch of texts in parts: its gradient is the sum of theirs, and only one part's states are in memory at a time.

A network keeps something of every token in every layer until the way back. That is megabytes a token, so memory would
follow the longest batch. Rows of similar length share a part, which leaves out padding, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from genrec.prompts.rendering import IGNORE

TOKENS = 1024
"""Tokens of a part, with padding: enough for products at full speed. A longer row is a part of its own."""
_KEYS = {"input_ids", "attention_mask", "labels"}


def is_text(batch: Mapping[str, Any]) -> bool:
    """Whether a batch is of :class:`~genrec.prompts.examples.TextCollator`, in which every row is for itself."""
    return batch.keys() == _KEYS


def row_parts(batch: Mapping[str, Tensor], tokens: int = TOKENS) -> Iterator[dict[str, Tensor]]:
    """The rows of a batch in parts of few tokens, the longest rows first; a small batch as it is.

    Args:
        batch: ``input_ids`` and ``attention_mask`` ``(rows, n)``, padded on the right, and ``labels`` of as many rows.
        tokens: Most tokens of a part with more than one row.
    """
    mask = batch["attention_mask"].bool()
    if mask.numel() <= tokens or len(mask) < 2:
        yield dict(batch)
        return
    lengths = mask.sum(1)
    order, start = lengths.argsort(descending=True, stable=True), 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = order[start : start + max(1, tokens // longest)]
        start += len(rows)
        part = {name: values[rows] for name, values in batch.items()}
        apart = part["labels"].shape[1] != mask.shape[1] or bool((part["labels"][:, longest:] != IGNORE).any())
        yield {name: values if name == "labels" and apart else values[:, :longest] for name, values in part.items()}
