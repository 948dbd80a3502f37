"""How near all items of a catalogue are to some, by texts, by what is bought together, and by words."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from genrec.encoders.word_matches import WordMatches

_KEPT = 400_000_000
"""Cosines of all pairs of items that are kept while a network is trained: 0.8 GB a kind in half precision."""
_ROWS = 1024


class Kept(dict[str, Tensor]):
    """Cosines of all pairs of items, ``(n_items, n_items)`` by kind."""


class Neighbours:
    """Cosines between items, by kind of vector.

    Args:
        texts: ``(n_items, dim)`` of unit length.
        words: Of the same items; None: they are not read.
    """

    def __init__(self, texts: Tensor, words: WordMatches | None) -> None:
        self._texts, self._words = texts, words
        self._kept: Callable[[], Kept | None] = lambda: None

    def keep(self) -> Kept:
        """Keep cosines for as long as somebody holds what this returns: a training run does."""
        kept = Kept()
        self._kept = weakref.ref(kept)
        return kept

    def rows(self, items: Tensor, among: Tensor | None, pairs: Tensor, dtype: torch.dtype) -> list[Tensor]:
        """Cosines of some items with all, for a step of training.

        Args:
            items: ``(m,)`` int64.
            among: ``(c,)`` int64 items that they are compared with; None: all.
            pairs: ``(n_items, dim)`` vectors of what is bought together.
            dtype: Of products and result.

        Returns:
            ``(m, c)`` of texts, of pairs and, where they are read, of words.
        """
        pairs = pairs.to(dtype)
        found = [self._near("texts", items, dtype), pairs[items] @ pairs.T]
        if self._words is not None:
            found.append(self._near("words", items, dtype))
        return found if among is None else [one[:, among] for one in found]

    def of(self, items: Tensor, counts: Tensor, pairs: Tensor) -> Tensor:
        """Sums of cosines with histories, ``(rows, n_items)`` float32, with gradients by ``counts``.

        Args:
            items: ``(rows, items)`` int64.
            counts: ``(kinds, rows, items)``: what every item of a history counts, by kind as in :meth:`rows`.
            pairs: ``(n_items, dim)``.
        """
        texts = self._texts.to(counts.device)
        scores = torch.zeros(len(items), len(texts), device=counts.device)
        for count, vectors in zip(counts, (texts, pairs), strict=False):
            scores = scores + (count[:, None] @ vectors[items])[:, 0] @ vectors.T
        return scores if self._words is None else scores + _WordScores.apply(counts[2], items, self._words)

    def _near(self, kind: str, items: Tensor, dtype: torch.dtype) -> Tensor:
        n_items = len(self._texts)
        kept = self._kept()
        if kept is None or n_items**2 > _KEPT:
            return self._computed(kind, items, dtype)
        known = kept.get(kind)
        if known is None or known.dtype != dtype or known.device != items.device:
            parts = torch.arange(n_items, device=items.device).split(_ROWS)
            known = torch.empty(n_items, n_items, dtype=dtype, device=items.device)
            for part in parts:
                known[part] = self._computed(kind, part, dtype)
            kept[kind] = known
        return known[items]

    def _computed(self, kind: str, items: Tensor, dtype: torch.dtype) -> Tensor:
        if kind == "texts":
            texts = self._texts.to(items.device, dtype)
            return texts[items] @ texts.T
        ones = torch.ones(len(items), 1)
        found = self._words.of(_sparse(items[:, None], ones, len(self._texts)))  # type: ignore[union-attr]
        return torch.from_numpy(found).to(items.device, dtype)


class _WordScores(torch.autograd.Function):
    """Sums of words' cosines, which sparse products outside torch work out; cosines are the same both ways."""

    @staticmethod
    def forward(ctx: Any, counts: Tensor, items: Tensor, words: WordMatches) -> Tensor:
        """``(rows, n_items)`` from ``counts (rows, items)`` of ``items``."""
        ctx.words = words
        ctx.save_for_backward(items)
        scores = words.of(_sparse(items, counts, words.vectors.shape[0]))
        return torch.from_numpy(scores).to(counts.device)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        """By ``counts``: the gradient's own sums of cosines, at the items of the history."""
        (items,) = ctx.saved_tensors
        sums = ctx.words.of(sp.csr_array(gradient.detach().float().cpu().numpy()))
        return torch.from_numpy(sums).to(gradient.device).gather(1, items), None, None


def _sparse(items: Tensor, counts: Tensor, n_items: int) -> sp.csr_array:
    """Rows of items and what they count, both ``(rows, items)``, as ``(rows, n_items)`` float32."""
    rows = np.repeat(np.arange(len(items)), items.shape[1])
    entries = counts.detach().float().flatten().cpu().numpy(), (rows, items.flatten().cpu().numpy())
    return sp.csr_array(sp.coo_array(entries, shape=(len(items), n_items)))
