"""Settings of prompts and of the tasks that are learned."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from genrec.config import MOST_ROWS, Settings


class TaskSettings(Settings):
    """One task of a mixture.

    The share of a task at any moment is its weight over the sum of all weights. A ``ramp-up`` grows from 0 to
    ``weight`` while training goes through ``between`` (shares of the whole training), a ``ramp-down`` falls from
    ``weight`` to 0. An easy task that ramps down beside a hard one that ramps up is LLaRA's curriculum (https://arxiv.org/abs/2312.02445).
    """

    prompt: str = Field(default="next-item", description="A task of prompts/, or the path of a .jinja file.")
    weight: float = Field(1.0, gt=0, description="share of the task, relative to the weights of the others")
    schedule: Literal["constant", "ramp-up", "ramp-down"] = Field(
        "constant", description="how the weight changes while training goes on"
    )
    between: tuple[float, float] = Field(
        (0.0, 1.0), description="shares of the training between which a ramp rises or falls"
    )

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

    max_tokens: int = Field(512, ge=8, description="longest prompt with its answer; the oldest items go first")
    chat: bool = Field(False, description="wrap prompts in the chat template of the tokenizer")
    system: str | None = Field(None, description="system message of the chat template")
    rows_per_epoch: int | None = Field(
        None, ge=1, le=MOST_ROWS, description="examples an epoch; None: as many as the first task has"
    )
