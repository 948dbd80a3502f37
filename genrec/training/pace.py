"""How fast training is: what is read a second, how much of it is padding, the most memory so far, the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

_MASKS = {"attention_mask": "tokens", "mask": "items"}


class Pace:
    """Counts what the batches of a run hold, and the seconds of its steps; validation is not among them.

    Args:
        clock: In seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, 0.0
        self._seconds, self._real, self._places = 0.0, 0, 0
        self.unit = ""

    def begin(self) -> None:
        """A step begins."""
        self._began = self._clock()

    def end(self, batch: Mapping[str, Any]) -> None:
        """A step has ended that read a batch: one of text has an ``attention_mask``, one of histories a ``mask``."""
        self._seconds += self._clock() - self._began
        for name, unit in _MASKS.items():
            mask = batch.get(name)
            if isinstance(mask, torch.Tensor):
                self.unit = unit
                self._real += int(mask.bool().sum())
                self._places += mask.numel()
                return

    @property
    def rate(self) -> float | None:
        """Tokens or items a second, without padding; None before there were any."""
        return self._real / self._seconds if self._real and self._seconds > 0 else None

    @property
    def padding(self) -> float:
        """Share of the places of all batches that is padding."""
        return 1 - self._real / self._places if self._places else 0.0

    def words(self, *, packed: bool = False) -> str:
        """Rate, padding and memory in words; nothing before the first step.

        Args:
            packed: The network reads batches without their padding.
        """
        if self.rate is None:
            return ""
        padding = "padding not read" if packed else f"{self.padding:.0%} padding"
        memory = peak_memory()
        held = "" if memory is None else f", {memory / 2**30:.1f} GiB at most"
        return f"{self.rate:,.0f} {self.unit} a second, {padding}{held}"


def time_left(seconds: float, done: int, steps: int) -> float | None:
    """Seconds that the rest of a run takes, if it goes on as it did; None before the first step.

    Args:
        seconds: Spent on the steps that are done, with all that happened between them.
        done: How many steps that was.
        steps: How many are left at most.
    """
    return seconds / done * max(0, steps) if done > 0 else None


def peak_memory() -> int | None:
    """Most bytes that were held so far: of the GPU where there is one, else of this process; None where unknown."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
