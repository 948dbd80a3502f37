"""Code tokens in a language model's vocabulary: where their rows start from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genrec.models.llm.code_tokens import CodeTokens


@dataclass(frozen=True)
class RowStart:
    """What new rows start from.

    Attributes:
        codebooks: Per level ``(codebook_size, any_dim)``, or None for a level without.
        texts: One text an item.
        codes: ``(n_items, n_levels)`` codes of the same items.
        seed: Of what is random.
    """

    codebooks: Sequence[np.ndarray | None] | None = None
    texts: Sequence[str] | None = None
    codes: np.ndarray | None = None
    seed: int = 0


def add_code_rows(model: Any, tokenizer: Any, tokens: CodeTokens, start: RowStart | None) -> None:
    """Give a model and its tokenizer a token per (level, code).

    A vocabulary that is padded beyond the tokenizer's tokens is used up before it grows.

    Args:
        model: Of transformers, changed in place.
        tokenizer: Its tokenizer, changed in place.
        tokens: The code tokens; they know their ids afterwards.
        start: What the rows start from: codebooks, else texts, else random rows with the table's mean and spread. None
            leaves them as they come, for weights that are loaded afterwards.
    """
    tokens.add_to(tokenizer)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    if start is None:
        return
    table = model.get_input_embeddings().weight
    means = None if start.texts is None else _text_means(table, tokenizer, tokens, start)
    _fill(table, tokens, start, means)
    head = model.get_output_embeddings()
    if head is not None and head.weight is not table:
        means = None if start.texts is None else _text_means(head.weight, tokenizer, tokens, start)
        _fill(head.weight, tokens, start, means)


@torch.no_grad()
def _fill(table: Tensor, tokens: CodeTokens, start: RowStart, means: list[Tensor] | None) -> None:
    """Write the rows of code tokens into one table ``(vocabulary, dim)``."""
    ids = torch.from_numpy(tokens.all_ids)
    old = torch.ones(len(table), dtype=torch.bool)
    old[ids] = False
    words = table[old.to(table.device)].float().cpu()
    mean, spread = words.mean(0), float((words - words.mean(0)).std())
    generator = torch.Generator().manual_seed(start.seed)
    for level, level_ids in enumerate(tokens.ids):
        rows = torch.randn(len(level_ids), table.shape[1], generator=generator)
        if means is not None:
            rows = _standard(means[level], rows)
        elif start.codebooks is not None and start.codebooks[level] is not None:
            rows = _standard(_project(start.codebooks[level], table.shape[1], start.seed), rows)
        table[torch.from_numpy(level_ids).to(table.device)] = (mean + spread * rows).to(table)


def _project(codebook: np.ndarray | None, dim: int, seed: int) -> Tensor:
    """A random projection that keeps a codebook's geometry; levels of the same dimension share it."""
    vectors = torch.from_numpy(np.asarray(codebook, dtype=np.float32))
    generator = torch.Generator().manual_seed(seed)
    return vectors @ torch.randn(vectors.shape[1], dim, generator=generator) / math.sqrt(vectors.shape[1])


def _standard(rows: Tensor, random: Tensor) -> Tensor:
    """Rows centred and with unit spread; rows without a value, or beyond the end, are random."""
    known = rows.isfinite().all(1)
    centred = rows - rows[known].mean(0)
    spread = float(centred[known].std()) if int(known.sum()) > 1 else 0.0
    result = random.clone()
    if spread > 0:
        places = known.nonzero()[:, 0]
        result[places] = centred[places] / spread
    return result


def _text_means(table: Tensor, tokenizer: Any, tokens: CodeTokens, start: RowStart) -> list[Tensor]:
    """Per level ``(codebook_size, dim)``: mean row of the text of the items that carry a code; NaN where none does."""
    texts, codes = list(start.texts or ()), np.asarray(start.codes)
    no_words = {*tokens.all_ids.tolist(), *tokenizer.all_special_ids}  # also where a text spells one
    read = tokenizer(texts, add_special_tokens=False)["input_ids"]
    encoded = [[token for token in ids if token not in no_words] for ids in read]
    lengths = torch.tensor([max(1, len(ids)) for ids in encoded])
    flat = torch.tensor([token for ids in encoded for token in (ids or [tokenizer.pad_token_id])])
    offsets = lengths.cumsum(0) - lengths
    weight = table.detach().float().cpu()
    items = torch.nn.functional.embedding_bag(flat, weight, offsets, mode="mean")
    result = []
    for level in range(codes.shape[1]):
        column = torch.from_numpy(codes[:, level].astype(np.int64))
        size = int(column.max()) + 1
        sums = torch.zeros(size, items.shape[1]).index_add_(0, column, items)
        result.append(sums / torch.bincount(column, minlength=size)[:, None])
    return result
