"""What a catalogue's own texts say about its codes: a vector for every code, without any training.

A code of an unseen catalogue may never have occurred while pretraining. Its vector is the mean of what the items with
this code say in this slot, so a model that scores codes by their vectors can use all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from genrec.errors import DataError

Parts = Literal["slices", "residual"]
"""What a slot stands for. ``slices``: its own part of the item vector (FSQ with the ``split`` encoder). ``residual``:
what the slots before it leave of the whole vector (residual quantizers, and slots that each see all of it)."""


def slot_dim(vector_dim: int, slots: int, parts: str) -> int:
    """Dimension of the vector of one slot: a share of ``vector_dim``, rounded up, or all of it."""
    return -(-vector_dim // slots) if parts == "slices" else vector_dim


def split_vectors(vectors: Tensor, slots: int, parts: str) -> Tensor:
    """What every slot sees of item vectors: ``(..., dim)`` to ``(..., slots, slot_dim)``, zeros where it is padded."""
    if parts == "residual":
        return vectors[..., None, :].expand(*vectors.shape[:-1], slots, vectors.shape[-1])
    width = slot_dim(vectors.shape[-1], slots, parts)
    padded = torch.nn.functional.pad(vectors, (0, width * slots - vectors.shape[-1]))
    return padded.unflatten(-1, (slots, width))


@dataclass(frozen=True)
class CodeVectors:
    """Vectors of the codes that a catalogue uses.

    Attributes:
        codes: Per slot ``(n_used,)`` int64, sorted.
        vectors: Per slot ``(n_used, slot_dim)`` float32.
        rows: ``(n_items, slots)`` int64: row of every item's code in these.
        sizes: Number of codes of every slot, used or not.
    """

    codes: list[Tensor]
    vectors: list[Tensor]
    rows: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, codes: np.ndarray, vectors: np.ndarray, sizes: Sequence[int], parts: str) -> CodeVectors:
        """Work them out.

        Args:
            codes: ``(n_items, >= slots)`` int32; what follows the slots (a suffix) is not looked at.
            vectors: ``(n_items, dim)`` float32, on the scale that the model reads.
            sizes: Number of codes of every slot.
            parts: See :data:`Parts`.

        Raises:
            DataError: Codes and vectors are not of the same items.
        """
        slots = len(sizes)
        if len(codes) != len(vectors) or codes.shape[1] < slots:
            raise DataError(
                f"Codes of shape {codes.shape} and vectors of shape {vectors.shape}.",
                expected=f"one row an item in both, and {slots} codes",
            )
        used, means, rows = [], [], np.empty((len(codes), slots), dtype=np.int64)
        rest = np.array(vectors, dtype=np.float32) if parts == "residual" else np.asarray(vectors)
        width = slot_dim(vectors.shape[1], slots, parts)
        for slot in range(slots):
            found, rows[:, slot] = np.unique(codes[:, slot], return_inverse=True)
            seen = rest if parts == "residual" else rest[:, slot * width : (slot + 1) * width]
            mean = _means(seen, rows[:, slot], len(found))
            if parts == "residual":
                rest -= mean[rows[:, slot]]
            used.append(torch.from_numpy(found.astype(np.int64)))
            means.append(torch.from_numpy(np.pad(mean, ((0, 0), (0, width - mean.shape[1])))))
        return cls(used, means, torch.from_numpy(rows), tuple(int(size) for size in sizes))

    def of_items(self, items: Tensor) -> Tensor:
        """Code vectors of items ``(...)`` int64: ``(..., slots, slot_dim)``."""
        rows = self.rows[items]
        return torch.stack([vectors[rows[..., slot]] for slot, vectors in enumerate(self.vectors)], dim=-2)

    def to(self, device: torch.device | str) -> CodeVectors:
        """The same on another device."""
        codes, vectors = [part.to(device) for part in self.codes], [part.to(device) for part in self.vectors]
        return CodeVectors(codes, vectors, self.rows.to(device), self.sizes)


def _means(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Mean of ``values (m, d)`` by ``rows (m,)``: ``(n, d)`` float32; sorted sums, so it does not depend on threads."""
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=n)
    sums = np.add.reduceat(np.asarray(values, dtype=np.float32)[order], np.r_[0, np.cumsum(counts)[:-1]], axis=0)
    return (sums / counts[:, None]).astype(np.float32)


def item_code_vectors(codes: np.ndarray, vectors: np.ndarray, sizes: Sequence[int], parts: str) -> np.ndarray:
    """Vectors of the codes of every item, ``(n_items, slots, slot_dim)`` float32; see :meth:`CodeVectors.of`."""
    everything = CodeVectors.of(codes, vectors, sizes, parts)
    return everything.of_items(torch.arange(len(codes))).numpy()
