"""Which task an example has: weights, and schedules over the progress of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from genrec.config import Settings
from genrec.errors import ConfigError


class TaskSettings(Settings):
    """One task of a mixture.

    The share of a task at any moment is its weight over the sum of all weights. A ``ramp-up`` grows from 0 to
    ``weight`` while training goes through ``between`` (shares of the whole training), a ``ramp-down`` falls from
    ``weight`` to 0. An easy task that ramps down beside a hard one that ramps up is LLaRA's curriculum (https://arxiv.org/abs/2312.02445).
    """

    prompt: str = Field(default="next-item", description="A task of prompts/, or the path of a .jinja file.")
    weight: float = Field(1.0, gt=0)
    schedule: Literal["constant", "ramp-up", "ramp-down"] = "constant"
    between: tuple[float, float] = (0.0, 1.0)

    @field_validator("between")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] < value[1] <= 1:
            raise ValueError("expected two numbers a < b between 0 and 1")
        return value

    def weights(self, progress: np.ndarray) -> np.ndarray:
        """The weight at every moment, ``(n,)`` float64, for shares of training that are done, ``(n,)``."""
        if self.schedule == "constant":
            return np.full(len(progress), self.weight)
        first, last = self.between
        done = np.clip((progress - first) / (last - first), 0.0, 1.0)
        return self.weight * (done if self.schedule == "ramp-up" else 1.0 - done)


class PromptSettings(Settings):
    """How prompts are rendered; see :class:`genrec.prompts.PromptRenderer`.

    ``rows_per_epoch``: examples an epoch; None: as many as the first task has.
    """

    max_tokens: int = Field(512, ge=8)
    chat: bool = False
    system: str | None = None
    rows_per_epoch: int | None = Field(None, ge=1)


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
