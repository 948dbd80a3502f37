"""How much every item of a history counts in what is near to it, by age and by the state of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_SLOWEST, _FASTEST = 0.2, 1.0
"""Decays that the heads begin with, a step of the history."""
_GAIN = 6.7
"""What a cosine counts at the start, over all heads, for each kind of vector."""
_LIMIT = 4.0


class Mixtures(nn.Module):
    """Weights of a history's items, whose cosines with an item add up to a part of its score.

    Before training they decay with age and nothing else, so items are scored by how near they are to the history. What
    is learned is the decay of every head and how much each kind of vector counts, which may depend on the state: so a
    user for whom texts say little gets more of what is bought together.

    Args:
        dim: Width of the states.
        gains: What a cosine counts for every kind of vector, as multiples of the usual.
        heads: Decays.
    """

    def __init__(self, dim: int, gains: Sequence[float], heads: int) -> None:
        super().__init__()
        self.heads, self.kinds = heads, len(gains)
        self.decay = nn.Parameter(torch.linspace(_SLOWEST, _FASTEST, heads))
        start = torch.tensor([math.log(_GAIN * gain / heads) for gain in gains])
        self.gain = nn.Parameter(start.repeat(heads, 1))
        self.gate = nn.Parameter(torch.zeros(dim, heads * self.kinds))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """What every item of a history counts in the mixtures up to every item.

        Args:
            states: ``(rows, items, dim)``.
            mask: ``(rows, items)`` bool, False at padding on either side.

        Returns:
            ``(kinds, rows, items, items)``, all heads together: what the last counts for the one before it; 0 for
            later items and padding.
        """
        place = mask.long().cumsum(1)
        distance = place[:, :, None] - place[:, None, :]
        columns = torch.arange(mask.shape[1], device=mask.device)
        seen = (columns[:, None] >= columns) & mask[:, None, :]
        decay = self.decay.clamp_min(0)[:, None, None, None]
        weights = torch.exp(-decay * distance.clamp_min(0)) * seen  # (heads, rows, items, items)
        weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)
        gain = self.gain + (states @ self.gate).unflatten(-1, (self.heads, self.kinds))
        gain = gain.clamp(-_LIMIT, _LIMIT).exp()
        return torch.einsum("rihk,hrij->krij", gain, weights)
