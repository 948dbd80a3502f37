"""Exact ranking for models that predict all codes at once: an item's score is the sum of its slots' scores.

Such heads (RecGPT, arXiv 2506.06270; RPG, arXiv 2506.05781; SETRec, arXiv 2502.10833) need no beam: the whole catalogue
is scored in chunks with a running top-k.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import contained
from genrec.decoding.top_items import merge_best
from genrec.errors import DataError

_CELLS = 4_000_000  # users times items whose scores are held at once


class SlotRanker:
    """Ranks a catalogue by the sum of slot scores.

    Args:
        codes: ``(n_items, slots)`` codes of every item.
        codebook_sizes: Number of codes of every slot.
        device: Where the codes go.
        items: ``(n_items,)`` catalogue positions of the rows, when they are a part of a catalogue.

    Raises:
        DataError: Codes and codebooks do not fit, or there are no items.

    Example:
        >>> ranker = SlotRanker(np.array([[0, 0], [0, 1], [1, 1]]), (2, 2))
        >>> ranker.top(torch.tensor([[[0.0, 2.0], [0.5, 0.0]]]), 2)[0].tolist()
        [[2, 0]]
    """

    def __init__(
        self,
        codes: np.ndarray | Tensor,
        codebook_sizes: Sequence[int],
        device: torch.device | str = "cpu",
        *,
        items: np.ndarray | Tensor | None = None,
    ) -> None:
        codes = torch.as_tensor(codes).to(device)
        sizes = torch.tensor([int(size) for size in codebook_sizes], device=codes.device)
        if codes.dim() != 2 or codes.shape[1] != len(sizes) or not len(codes):
            raise DataError(f"Codes of shape {tuple(codes.shape)}.", expected=f"(n_items, {len(sizes)}), some items")
        if bool((codes < 0).any()) or bool((codes >= sizes).any()):
            raise DataError("A code is outside its codebook.", expected=f"codebooks of {sizes.tolist()}")
        self.codebook_sizes = tuple(sizes.tolist())
        self.offsets = sizes.cumsum(0) - sizes
        self.rows = (codes + self.offsets).to(torch.int32)  # rows of all slots' scores, one under the other
        places = torch.arange(len(codes)) if items is None else torch.as_tensor(items)
        self.items = places.to(codes.device, torch.int64)
        self.order = self.items.argsort()
        self._complete = bool((self.items == torch.arange(len(codes), device=codes.device)).all())

    def scores(self, slots: Sequence[Tensor] | Tensor) -> Tensor:
        """Scores of all items, ``(users, n_items)`` float32; arguments as in :meth:`top`."""
        return self._sum(self._table(slots), slice(None))

    def top(
        self,
        slots: Sequence[Tensor] | Tensor,
        k: int,
        *,
        forbidden: Tensor | None = None,
        allowed: Tensor | None = None,
        prior: Tensor | None = None,
        chunk: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The ``k`` best items of every user, exactly.

        Args:
            slots: ``(users, slots, codebook_size)`` scores, usually log-probabilities; or one ``(users,
                codebook_size)`` a slot where the sizes differ.
            k: How many.
            forbidden: ``(users, n)`` int64 catalogue positions that a user must not get, -1 for padding.
            allowed: ``(users, n)`` int64 positions that a user may get, -1 for padding; only these are scored.
            prior: ``(n,)`` or ``(users, n)`` scores by catalogue position that are added.
            chunk: Items scored at once.

        Returns:
            ``items (users, min(k, n_items))`` int64 catalogue positions, best first, -1 where fewer are allowed, and
            their float32 scores, -inf there.
        """
        table = self._table(slots)
        users = table.shape[1]
        chunk = chunk or max(1024, _CELLS // users)
        wanted = None if allowed is None else self._places(allowed).unique()
        wanted = wanted if wanted is None else wanted[wanted >= 0]
        mine = None if allowed is None else allowed.sort(dim=1).values
        total = len(self.rows) if wanted is None else len(wanted)
        items = torch.full((users, 0), -1, dtype=torch.int64, device=table.device)
        best = torch.zeros(users, 0, device=table.device)
        for start in range(0, total, chunk):
            part = torch.arange(start, min(start + chunk, total), device=table.device)
            part = part if wanted is None else wanted[part]
            positions = self.items[part]
            scores = self._sum(table, part)
            if prior is not None:
                scores += self._of_items(prior.to(scores), positions)
            if mine is not None:
                scores.masked_fill_(~contained(positions.expand(users, -1), mine), -torch.inf)
            if forbidden is not None:
                self._forbid(scores, part, forbidden)
            found, place = scores.topk(min(k, len(part)), dim=1)
            items, best = merge_best(items, best, positions[place], found, k)
        return torch.where(best > -torch.inf, items, -1), best

    def _table(self, slots: Sequence[Tensor] | Tensor) -> Tensor:
        """Scores of all codes of all slots, ``(sum of sizes, users)``: one item's lookup reads whole rows of users."""
        parts = slots.unbind(1) if isinstance(slots, Tensor) else list(slots)
        if tuple(part.shape[-1] for part in parts) != self.codebook_sizes:
            raise DataError(
                f"Slot scores over {[part.shape[-1] for part in parts]} codes.",
                expected=f"codebooks of {list(self.codebook_sizes)}",
            )
        return torch.cat([part.to(self.rows.device, torch.float32) for part in parts], dim=1).T.contiguous()

    def _sum(self, table: Tensor, part: Tensor | slice) -> Tensor:
        return F.embedding_bag(self.rows[part], table, mode="sum").T.contiguous()

    def _of_items(self, prior: Tensor, positions: Tensor) -> Tensor:
        """Columns of a prior; those of a whole catalogue stand in a row, and are not gathered one by one."""
        first, last = int(positions[0]), int(positions[-1]) + 1
        if self._complete and last - first == len(positions):
            return prior[..., first:last]
        return prior.index_select(-1, positions)

    def _places(self, positions: Tensor) -> Tensor:
        """Rows of catalogue positions, -1 where there is none."""
        known = self.items[self.order]
        place = torch.searchsorted(known, positions.contiguous()).clamp_max(len(known) - 1)
        return torch.where(known[place] == positions, self.order[place], -1)

    def _forbid(self, scores: Tensor, part: Tensor, forbidden: Tensor) -> None:
        rows = self._places(forbidden)
        place = torch.searchsorted(part, rows.clamp_min(0)).clamp_max(len(part) - 1)
        hit = (rows >= 0) & (part[place] == rows)
        user, entry = hit.nonzero(as_tuple=True)
        scores[user, place[user, entry]] = -torch.inf


def top_by_slots(trie: DeviceTrie, slots: Sequence[Tensor], k: int, **options: Any) -> tuple[Tensor, Tensor]:
    """The ``k`` best items of a trie by the sum of slot scores.

    Args:
        trie: Of the catalogue, or of the part of it that is ranked.
        slots: Per level ``(users, codebook_size)`` scores.
        k: How many.
        options: Of :meth:`SlotRanker.top`.
    """
    return ranker_of(trie, slots).top(slots, k, **options)


def score_by_slots(trie: DeviceTrie, slots: Sequence[Tensor]) -> Tensor:
    """Scores of all items, ``(users, n)`` by catalogue position, -inf for positions that the trie does not hold."""
    ranker = ranker_of(trie, slots)
    scores = ranker.scores(slots)
    result = scores.new_full((len(scores), int(trie.items.max()) + 1), -torch.inf)
    result[:, ranker.items] = scores
    return result


def ranker_of(trie: DeviceTrie, slots: Sequence[Tensor]) -> SlotRanker:
    """The ranker of a trie, made once and kept with it; its rows are in the order of their positions."""
    ranker: SlotRanker | None = trie.__dict__.get("_slot_ranker")
    if ranker is None:
        leaves = torch.arange(trie.n_items, device=trie.device)
        nodes = [trie.ancestors(leaves, trie.n_levels - 1, level) for level in range(trie.n_levels)]
        codes = torch.stack([trie.codes[level][node].long() for level, node in enumerate(nodes)], dim=1)
        order = trie.items.argsort()
        ranker = SlotRanker(codes[order], [part.shape[-1] for part in slots], trie.device, items=trie.items[order])
        trie.__dict__["_slot_ranker"] = ranker
    return ranker
