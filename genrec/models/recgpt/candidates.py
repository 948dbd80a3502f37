"""Batches for models that tell a target apart from items of its catalogue."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from genrec.models.history_batches import PackedRow
from genrec.models.vector_store import DomainItems


class CandidateCollator:
    """Rows of items → codes, vectors and candidates. All rows of a batch are of one domain.

    Candidates are the whole catalogue where it is small enough, else a uniform sample; which one depends only on the
    seed and the rows, so a resumed run draws the same.

    Args:
        domains: Items of every catalogue.
        candidates: At most so many.
        seed: Of the sample.
    """

    def __init__(self, domains: Sequence[DomainItems], candidates: int, *, seed: int = 0) -> None:
        self.domains, self.candidates, self.seed = list(domains), candidates, seed

    def __call__(self, rows: Sequence[PackedRow | np.ndarray]) -> dict[str, Any]:
        """Tensors for :meth:`genrec.models.recgpt.network.RecGPT.forward`, padded on the right."""
        packed = [row if isinstance(row, PackedRow) else _single(row) for row in rows]
        domain = self.domains[packed[0].domain]
        width = max(len(row.items) for row in packed)
        items = np.full((len(packed), width), -1, dtype=np.int64)
        segments = np.full(items.shape, -1, dtype=np.int64)
        targets = np.zeros(items.shape, dtype=bool)
        for number, row in enumerate(packed):
            n = len(row.items)
            items[number, :n], segments[number, :n], targets[number, :n] = row.items, row.segments, row.targets
        mask, known = items >= 0, items.clip(min=0)
        chosen, place = self._choose(domain, items)
        return {
            "codes": torch.from_numpy(np.asarray(domain.codes[known], dtype=np.int64)),
            "mask": torch.from_numpy(mask),
            "target_mask": torch.from_numpy(targets),
            "vectors": torch.from_numpy(np.asarray(domain.vectors[known])),
            "segments": torch.from_numpy(segments),
            "target_vectors": torch.from_numpy(np.asarray(domain.code_vectors[known])),
            "candidate_vectors": torch.from_numpy(np.asarray(domain.code_vectors[chosen])),
            "candidate_codes": torch.from_numpy(np.asarray(domain.codes[chosen], dtype=np.int64)),
            "candidate_places": torch.from_numpy(place),
        }

    def _choose(self, domain: DomainItems, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Candidates ``(n,)`` and where the items of the batch stand among them, -1 where they do not."""
        n = len(domain)
        if n <= self.candidates:
            return np.arange(n), items
        rng = np.random.default_rng([self.seed, zlib.crc32(np.ascontiguousarray(items).tobytes())])
        chosen = np.sort(rng.choice(n, self.candidates, replace=False))
        place = np.searchsorted(chosen, items).clip(max=len(chosen) - 1)
        return chosen, np.where(chosen[place] == items, place, -1)


def _single(items: np.ndarray) -> PackedRow:
    return PackedRow(0, items, np.zeros(len(items), dtype=np.int64), np.ones(len(items), dtype=bool))
