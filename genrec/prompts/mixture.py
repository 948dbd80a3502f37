"""Which task an example has: weights, and schedules over the progress of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genrec.errors import ConfigError
from genrec.prompts.settings import TaskSettings


class TaskMixture:
    """Draws the task of every row of every epoch, a function of (seed, epoch, row) alone.

    Args:
        tasks: Weights and schedules.
        epochs: Length of the training.
        seed: Of the draws.

    Raises:
        ConfigError: There is no task, or a moment at which every weight is 0.

    Example:
        >>> mixture = TaskMixture([TaskSettings(), TaskSettings(prompt="title-to-id", weight=3)], epochs=2)
        >>> mixture.shares(np.array([0.5])).tolist()
        [[0.25, 0.75]]
    """

    def __init__(self, tasks: Sequence[TaskSettings], epochs: float, seed: int = 0) -> None:
        if not tasks:
            raise ConfigError(
                "There is no task to train on.", where="tasks", expected="at least one, such as next-item"
            )
        self.tasks, self.epochs, self.seed = tuple(tasks), float(epochs), seed
        borders = np.unique([0.0, 1.0, *(border for task in tasks for border in task.between)])
        # Weights are straight lines between borders: one that is 0 inside a piece is 0 at the whole of it.
        inside = (borders[:-1] + borders[1:]) / 2
        if (self._weights(inside).sum(axis=1) <= 0).any():
            raise ConfigError(
                "At some moment of the training no task has a weight above 0.",
                where="tasks",
                expected="schedules that overlap, or one constant task",
            )

    def _weights(self, progress: np.ndarray) -> np.ndarray:
        return np.stack([task.weights(progress) for task in self.tasks], axis=1)

    def shares(self, progress: np.ndarray) -> np.ndarray:
        """Probability of every task, ``(n, n_tasks)``, at shares of the training ``(n,)``."""
        weights = self._weights(np.clip(progress, 1e-9, 1 - 1e-9))
        return weights / weights.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]

    def draw(self, epoch: int, rows: int) -> np.ndarray:
        """The task of every row of an epoch, ``(rows,)`` int64."""
        progress = (epoch + (np.arange(rows) + 0.5) / rows) / self.epochs
        limits = np.cumsum(self.shares(progress), axis=1)
        dice = np.random.default_rng([self.seed, epoch]).random(rows)
        return np.minimum((dice[:, None] >= limits).sum(axis=1), len(self.tasks) - 1)
