"""Sparse autoencoders over the states of a network: each state as a sum of a few directions."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.progress import Progress

_DEAD = 50
"""Steps without use after which a latent is taught by what the others leave."""
_AUXILIARY = 1 / 32


class SparseAutoencoder(nn.Module):
    """A top-k autoencoder (Gao et al. 2024, arXiv 2406.04093) with directions of length one.

    The encoder starts as the transpose of the decoder. Latents that are not used for long learn what the used ones
    leave of a state, so that few stay unused.

    Args:
        dim: Of states.
        width: Latents.
        k: How many a state may have.
        seed: Of the first directions.
    """

    scale: Tensor

    def __init__(self, dim: int, width: int, k: int, *, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        directions = F.normalize(torch.randn(width, dim, generator=generator), dim=-1)
        self.k = min(k, width)
        self.directions = nn.Parameter(directions.clone())
        self.encoder = nn.Parameter(directions.clone())
        self.offset = nn.Parameter(torch.zeros(width))
        self.middle = nn.Parameter(torch.zeros(dim))
        self.register_buffer("scale", torch.ones(()))

    def activations(self, states: Tensor) -> Tensor:
        """How much of every direction a state has, ``(n, dim) -> (n, width)``; all but at most k are 0."""
        return _largest(self._before(states / self.scale), self.k)

    def rebuild(self, activations: Tensor) -> Tensor:
        """States from activations, ``(n, width) -> (n, dim)``."""
        return (activations @ self.directions + self.middle) * self.scale

    def without(self, states: Tensor, latents: Tensor) -> Tensor:
        """States without their part in some directions; what the autoencoder does not explain stays.

        Args:
            states: ``(n, dim)``.
            latents: ``(m,)`` int64.
        """
        removed: Tensor = self.activations(states)[:, latents] @ self.directions[latents] * self.scale
        return states - removed

    @torch.no_grad()
    def explained(self, states: Tensor) -> float:
        """Share of the variance of states that is rebuilt."""
        left = (states - self.rebuild(self.activations(states))).square().sum()
        return float(1 - left / (states - states.mean(0)).square().sum().clamp_min(1e-12))

    @classmethod
    def fit(
        cls,
        states: Tensor,
        *,
        width: int,
        k: int,
        steps: int = 1000,
        batch: int = 1024,
        learning_rate: float = 1e-3,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn directions that rebuild states.

        Args:
            states: ``(n, dim)``.
            width: Latents.
            k: How many a state may have.
            steps: Of learning.
            batch: States a step.
            learning_rate: Of Adam.
            seed: Of weights and order.
            progress: Told how many steps are done.
        """
        generator = torch.Generator().manual_seed(seed)
        model = cls(states.shape[1], width, k, seed=seed).to(states.device)
        with torch.no_grad():
            model.scale.copy_((states - states.mean(0)).square().sum(-1).mean().sqrt().clamp_min(1e-12))
            model.middle.copy_(states.mean(0) / model.scale)
        optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        idle = torch.zeros(width, device=states.device)
        for step in range(steps):
            rows = torch.randint(len(states), (min(batch, len(states)),), generator=generator).to(states.device)
            loss, used = model._loss(states[rows] / model.scale, idle >= _DEAD)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                model.directions.copy_(F.normalize(model.directions, dim=-1))
            idle = torch.where(used, 0, idle + 1)
            if progress is not None:
                progress("learning directions", step + 1, steps)
        return model.eval().requires_grad_(False)

    def _before(self, scaled: Tensor) -> Tensor:
        return F.relu((scaled - self.middle) @ self.encoder.T + self.offset)

    def _loss(self, scaled: Tensor, dead: Tensor) -> tuple[Tensor, Tensor]:
        """What is not rebuilt, and which latents were used, ``(width,)`` bool."""
        before = self._before(scaled)
        found = _largest(before, self.k)
        left = scaled - found @ self.directions - self.middle
        loss = left.square().sum(-1).mean()
        if bool(dead.any()):
            raw = (scaled - self.middle) @ self.encoder.T + self.offset
            others = _largest(F.softplus(raw).masked_fill(~dead, 0), self.k)
            loss = loss + _AUXILIARY * (left.detach() - others @ self.directions).square().sum(-1).mean()
        return loss, (found > 0).any(0)


def _largest(values: Tensor, k: int) -> Tensor:
    """The k largest of every row, the others 0."""
    best, places = values.topk(k, dim=-1)
    return torch.zeros_like(values).scatter(-1, places, best)
