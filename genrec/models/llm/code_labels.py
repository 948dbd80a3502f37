"""Semantic IDs among the labels of a text: where they stand and which codes they are."""

from __future__ import annotations

import torch
from torch import Tensor

from genrec.models.llm.code_tokens import CodeTokens


class CodeLabels:
    """Finds whole semantic IDs by the token ids alone.

    Args:
        tokens: The code tokens, known to a tokenizer.
    """

    def __init__(self, tokens: CodeTokens) -> None:
        self.n_levels = tokens.n_levels
        table = torch.full((int(tokens.all_ids.max()) + 2, 2), -1, dtype=torch.int64)
        for level, ids in enumerate(tokens.ids):
            table[torch.from_numpy(ids), 0] = level
            table[torch.from_numpy(ids), 1] = torch.arange(len(ids))
        self._table = table

    def find(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Semantic IDs in a row of labels.

        Args:
            labels: ``(n,)`` int64 token ids of all targets one after the other, without what carries no loss.

        Returns:
            Where they start, ``(m,)`` int64, and their codes ``(m, n_levels)``.
        """
        if self._table.device != labels.device:
            self._table = self._table.to(labels.device)
        known = self._table[labels.clamp(0, len(self._table) - 1)]
        starts = torch.arange(max(0, len(labels) - self.n_levels + 1), device=labels.device)
        places = starts[:, None] + torch.arange(self.n_levels, device=labels.device)
        whole = (known[places, 0] == torch.arange(self.n_levels, device=labels.device)).all(1)
        return starts[whole], known[places[whole], 1]
