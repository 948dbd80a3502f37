"""Parts of :class:`~genrec.models.recgpt.network.RecGPT`: how codes and texts enter, and how codes are scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.models.recgpt.products import log_mass, quick_product

_KEY = 16
"""Width of the queries and keys of :class:`TextPooling`."""
_DECAY, _GAIN, _UNIT = 0.5, 10.0, 10.0
"""Where :class:`TextPooling` starts: an item counts 0.6 of the next, and scores are ten times a cosine."""


class StepEmbedding(nn.Module):
    """Codes of finite scalar quantization as the sum of one vector per (slot, scalar, step).

    A code is the mixed-radix number of its scalars' steps. So a code that never occurred in training is still made of
    steps that did, and the table has a few hundred rows instead of tens of thousands.

    Args:
        steps: Steps of every scalar, the fastest first; their product is the codebook size.
        slots: Number of slots.
        dim: Width.
    """

    def __init__(self, steps: Sequence[int], slots: int, dim: int, *, std: float = 0.02) -> None:
        super().__init__()
        self.steps, self.slots, self.std = tuple(int(step) for step in steps), slots, std
        self.weight = nn.Parameter(torch.empty(slots * sum(self.steps), dim))
        nn.init.normal_(self.weight, std=std)

    def embed(self, codes: Tensor, first_level: int = 0) -> Tensor:
        """Vectors of codes ``(..., n)`` whose last axis runs over slots from ``first_level``: ``(..., n, dim)``."""
        steps = torch.tensor(self.steps, device=codes.device)
        digits = codes[..., None] // (steps.cumprod(0) // steps) % steps
        slots = torch.arange(first_level, first_level + codes.shape[-1], device=codes.device)
        rows = digits + (steps.cumsum(0) - steps) + slots[:, None] * sum(self.steps)
        return F.embedding(rows, self.weight).sum(-2)


class TextPooling(nn.Module):
    """Attention whose values are the texts' own vectors, unprojected.

    What it gives is a mixture of the history's vectors, so it means the same in a catalogue that the model has never
    seen; what is learned is the weights, by content and by distance with a decay of its own for every head, and a
    metric that starts as the cosine.

    Args:
        dim: Width of the states.
        slots: Number of slots, each with gains of its own.
        heads: Number of mixtures that are added up.
        width: Of the vectors.
    """

    def __init__(self, dim: int, slots: int, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, heads * _KEY, bias=False)
        self.key = nn.Linear(dim, heads * _KEY, bias=False)
        # Logarithms, around 0 and in units of 0.1, so that few steps of an optimizer can change them much.
        self.decay = nn.Parameter(torch.zeros(heads))
        self.metric = nn.Parameter(torch.zeros(width, width))
        self.gain = nn.Parameter(torch.zeros(slots, heads))

    def forward(self, hidden: Tensor, vectors: Tensor, seen: Tensor, position: Tensor, places: Any) -> Tensor:
        """Mix.

        Args:
            hidden: ``(rows, items, slots, dim)`` states.
            vectors: ``(rows, items, slots, slot_dim)`` of the items.
            seen: ``(rows, items, items)`` bool, query by key.
            position: ``(rows, items)`` int64 place of every item in its history.
            places: Index of the rows and items that are asked for.

        Returns:
            ``(n, slots, slot_dim)``.
        """
        query = self.query(hidden).unflatten(-1, (self.heads, _KEY)).permute(0, 2, 3, 1, 4)
        key = self.key(hidden).unflatten(-1, (self.heads, _KEY)).permute(0, 2, 3, 4, 1)
        distance = (position[:, :, None] - position[:, None, :]).clamp_min(0)[:, None, None]
        decay = _DECAY * (_UNIT * self.decay + torch.linspace(-0.5, 0.5, self.heads, device=hidden.device)).exp()
        logits = query @ key / math.sqrt(_KEY) - decay[:, None, None] * distance
        weights = logits.masked_fill(~seen[:, None, None], -torch.inf).softmax(-1)
        gain = _GAIN / self.heads * (_UNIT * self.gain).exp()
        mixed = (gain[:, :, None, None] * weights).sum(2)  # (rows, slots, items, items)
        mixture: Tensor = (mixed @ vectors.transpose(1, 2)).transpose(1, 2)[places]
        return mixture + quick_product(mixture, self.metric)


@dataclass(frozen=True)
class Candidates:
    """What a target is told apart from: items of its catalogue, all of them or a sample.

    Attributes:
        vectors: ``(n, slots, slot_dim)`` their code vectors.
        codes: ``(n, slots)`` their codes.
        place: ``(rows, items)`` int64: where an item of the histories stands among them, -1 where it does not.
    """

    vectors: Tensor
    codes: Tensor
    place: Tensor | None = None


def item_likelihood(
    queries: Tensor,
    right: Tensor,
    codes: Tensor,
    candidates: Candidates,
    hidden: Tensor | None,
    *,
    rounded: bool = False,
) -> Tensor:
    """Log-probability of items whose score is the sum of their slots' scores, ``(n,)``.

    The probability is over items of the catalogue, so slots learn to agree on an item that there is; with one softmax
    per slot they are independent and may each choose a code that no item combines.

    Args:
        queries: ``(n, slots, slot_dim)``.
        right: ``(n, slots, slot_dim)`` code vectors of the targets.
        codes: ``(n, slots)`` codes of the targets.
        candidates: Other items; those with the codes of the target do not count.
        hidden: ``(2, m)`` int64 (target, candidate) pairs that do not count: what the user already had.
        rounded: See :func:`~genrec.models.recgpt.products.log_mass`.
    """
    target = (queries * right).sum((1, 2))
    without = _same(codes, candidates.codes)
    without = without if hidden is None else torch.cat([without, hidden], dim=1)
    mass = log_mass(queries.flatten(1), candidates.vectors.flatten(1), without, rounded=rounded)
    return target - torch.logaddexp(target, mass)


def slot_likelihood(queries: Tensor, right: Tensor, codes: Tensor, candidates: Candidates) -> Tensor:
    """Log-probability of codes, slot by slot, summed over slots, ``(n,)``; see :func:`item_likelihood`."""
    terms = []
    for slot in range(codes.shape[1]):
        target = (queries[:, slot] * right[:, slot]).sum(1)
        first = candidates.codes[:, slot].unique(return_inverse=True)[1]
        once = torch.full((int(first.max()) + 1,), len(first), device=first.device)
        once = once.scatter_reduce(0, first, torch.arange(len(first), device=first.device), "amin")
        logits = queries[:, slot] @ candidates.vectors[once, slot].T  # every code once, however many items have it
        logits = logits.masked_fill(codes[:, slot, None] == candidates.codes[once, slot], -torch.inf)
        terms.append(target - torch.logaddexp(target, logits.logsumexp(1)))
    return torch.stack(terms).sum(0)


def _same(codes: Tensor, others: Tensor) -> Tensor:
    """Pairs whose codes all agree, of ``(n, slots)`` and ``(m, slots)``: ``(2, p)`` int64."""
    row, other = (codes[:, None, 0] == others[:, 0]).nonzero(as_tuple=True)
    agree = (codes[row] == others[other]).all(1)
    return torch.stack([row[agree], other[agree]])


def already_had(candidates: Candidates, segment: Tensor, position: Tensor, targets: Tensor) -> Tensor | None:
    """Pairs (target, candidate) of what the user had before the target, ``(2, m)`` int64.

    Args:
        candidates: With ``place``; without it nothing is hidden.
        segment: ``(rows, items)`` int64, -1 at padding.
        position: ``(rows, items)`` int64.
        targets: ``(rows, items)`` bool; they are numbered row by row.
    """
    if candidates.place is None:
        return None
    number = targets.flatten().cumsum(0).view(targets.shape) - 1
    earlier = (segment[:, :, None] == segment[:, None, :]) & (position[:, None, :] < position[:, :, None])
    earlier &= targets[:, :, None] & (candidates.place >= 0)[:, None, :]
    row, target, item = earlier.nonzero(as_tuple=True)
    return torch.stack([number[row, target], candidates.place[row, item]])
