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
from genrec.wording import count

Parts = Literal["slices", "residual"]
"""How an item vector is shared out among the codes of its item. ``slices``: every slot stands for its own part of the
vector. ``additive``: every code has a whole vector, and those of an item add up to the item's, as nearly as codes that
many items share can: additive quantization with given codes (https://arxiv.org/abs/1411.2173)."""

_SWEEPS = 12
_ENOUGH = 0.02
"""Sweeps end when the error falls by less than this share."""


def slot_dim(vector_dim: int, slots: int, parts: str = "slices") -> int:
    """Dimension of the vector of one slot: a share of ``vector_dim``, rounded up, or all of it."""
    return -(-vector_dim // slots) if parts == "slices" else vector_dim


def split_vectors(vectors: Tensor, slots: int, parts: str = "slices") -> Tensor:
    """What every slot sees of item vectors: ``(..., dim)`` to ``(..., slots, slot_dim)``, zeros where it is padded."""
    if parts == "additive":
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
                expected=f"one row an item in both, and {count(slots, 'code')}",
            )
        used, rows = [], np.empty((len(codes), slots), dtype=np.int64)
        for slot in range(slots):
            found, rows[:, slot] = np.unique(codes[:, slot], return_inverse=True)
            used.append(torch.from_numpy(found.astype(np.int64)))
        groups = [_Groups(rows[:, slot]) for slot in range(slots)]
        fitted = _slices(vectors, groups) if parts == "slices" else _additive(vectors, groups)
        means = [torch.from_numpy(one) for one in fitted]
        return cls(used, means, torch.from_numpy(rows), tuple(int(size) for size in sizes))

    def of_items(self, items: Tensor) -> Tensor:
        """Code vectors of items ``(...)`` int64: ``(..., slots, slot_dim)``."""
        rows = self.rows[items]
        return torch.stack([vectors[rows[..., slot]] for slot, vectors in enumerate(self.vectors)], dim=-2)

    def to(self, device: torch.device | str) -> CodeVectors:
        """The same on another device."""
        codes, vectors = [part.to(device) for part in self.codes], [part.to(device) for part in self.vectors]
        return CodeVectors(codes, vectors, self.rows.to(device), self.sizes)


class _Groups:
    """Items by the code of one slot, ``rows (n_items,)`` from 0."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.order = rows, np.argsort(rows, kind="stable")
        self.counts = np.bincount(rows)
        self.starts = np.cumsum(self.counts) - self.counts

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Of ``values (n_items, d)`` by code: ``(n_used, d)`` float32."""
        sums = np.add.reduceat(np.asarray(values, dtype=np.float32)[self.order], self.starts, axis=0)
        return (sums / self.counts[:, None]).astype(np.float32)


def _slices(vectors: np.ndarray, groups: Sequence[_Groups]) -> list[np.ndarray]:
    width = slot_dim(vectors.shape[1], len(groups))
    means = [group.mean(vectors[:, n * width : (n + 1) * width]) for n, group in enumerate(groups)]
    return [np.pad(mean, ((0, 0), (0, width - mean.shape[1]))) for mean in means]


def _additive(vectors: np.ndarray, groups: Sequence[_Groups]) -> list[np.ndarray]:
    """Least squares by coordinate descent: in turn, each slot takes the mean of what the others leave."""
    rest = np.array(vectors, dtype=np.float32)
    fitted = [np.zeros((len(group.counts), rest.shape[1]), dtype=np.float32) for group in groups]
    before = np.inf
    for _ in range(_SWEEPS):
        for slot, group in enumerate(groups):
            change = group.mean(rest)
            fitted[slot] += change
            rest -= change[group.rows]
        error = float(np.einsum("nd,nd->", rest, rest, dtype=np.float64))
        if error >= before * (1 - _ENOUGH):
            break
        before = error
    return fitted


def item_code_vectors(codes: np.ndarray, vectors: np.ndarray, sizes: Sequence[int], parts: str) -> np.ndarray:
    """Vectors of the codes of every item, ``(n_items, slots, slot_dim)`` float32; see :meth:`CodeVectors.of`."""
    everything = CodeVectors.of(codes, vectors, sizes, parts)
    return everything.of_items(torch.arange(len(codes))).numpy()
