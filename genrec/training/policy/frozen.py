"""Weights of an earlier moment, which a network can take on for a while, such as those at the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class FrozenWeights:
    """A copy of what of a network is trained.

    Of a network with an adapter that is the adapter alone, a few megabytes. Taking it on is then right also where the
    adapter was trained before, which switching it off would not be.

    Args:
        model: Its weights now.
    """

    def __init__(self, model: nn.Module) -> None:
        self.weights = {name: value.detach().clone() for name, value in _trained(model)}

    @contextmanager
    def inside(self, model: nn.Module) -> Iterator[None]:
        """The network has these weights; no gradient may be pending that needs the others."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def state(self, prefix: str) -> dict[str, Tensor]:
        """Tensors to save, their names after a prefix."""
        return {prefix + name: value for name, value in self.weights.items()}

    def load_state(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        for name, value in self.weights.items():
            value.copy_(tensors[prefix + name])

    @torch.no_grad()
    def _exchange(self, model: nn.Module) -> None:
        for name, value in _trained(model):
            mine = self.weights[name].to(value.device)
            self.weights[name], value.data = value.data, mine


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)
