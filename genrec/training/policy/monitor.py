"""What post-training tells between two log lines; kept with a checkpoint, so that a stopped run tells the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_TOLD = ("reward", "kl", "groups_without_gradient", "preferred", "rollout_items")
_SUM, _SEEN = "monitor.", "monitor-items"


class Monitor:
    """Means of figures, and how many items of the catalogue were met.

    Args:
        n_items: Of the catalogue.
    """

    def __init__(self, n_items: int) -> None:
        self._sums: dict[str, Tensor] = {}
        self._seen = torch.zeros(n_items, dtype=torch.bool)

    def add(self, figures: Mapping[str, Tensor | float], items: Tensor | None = None) -> None:
        """Count one batch: figures that are means over it, and the items that were drawn."""
        for name, value in figures.items():
            both = torch.stack([torch.as_tensor(value).detach().double().cpu(), torch.ones((), dtype=torch.float64)])
            self._sums[name] = self._sums.get(name, torch.zeros(2, dtype=torch.float64)) + both
        if items is not None:
            self._seen[items[items >= 0].cpu()] = True

    def take(self) -> dict[str, float]:
        """The means since the last call; everything begins anew."""
        found = {name: float(value[0] / value[1]) for name, value in self._sums.items()}
        if bool(self._seen.any()):
            found["rollout_items"] = int(self._seen.sum())
        self._sums, self._seen = {}, torch.zeros_like(self._seen)
        return found

    def state(self) -> dict[str, Tensor]:
        """Tensors to save."""
        return {_SUM + name: value for name, value in self._sums.items()} | {_SEEN: self._seen}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        self._sums = {name.removeprefix(_SUM): value for name, value in tensors.items() if name.startswith(_SUM)}
        self._seen = tensors[_SEEN].clone()


def told_figures(logs: Mapping[str, float]) -> dict[str, float]:
    """Of the figures of a log entry, those that a person is told; none where there was no post-training."""
    return {name.replace("_", " "): logs[name] for name in _TOLD if name in logs}
