"""Time, share of time by part, and memory of one piece of work."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from genrec.models.predictor import StepOutput

T = TypeVar("T")


class Clock:
    """Seconds: of this process's CPU where it computes on one thread, of the wall with a device synchronised."""

    def __init__(self, device: str = "cpu") -> None:
        self.cuda = device != "cpu"

    def __call__(self) -> float:
        """Now."""
        if not self.cuda:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def timed(work: Callable[[], T], clock: Clock) -> tuple[T, float]:
    """The result and the seconds it took."""
    began = clock()
    result = work()
    return result, clock() - began


def peak_memory(work: Callable[[], T], device: str = "cpu") -> tuple[T, float]:
    """The result and the MiB that it needed beyond what was there before."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        result = work()
        return result, (torch.cuda.max_memory_allocated() - before) / 2**20
    before, highest, done = _resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            highest[0] = max(highest[0], _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    result = work()
    highest[0] = max(highest[0], _resident())
    done.set()
    watcher.join()
    return result, max(0, highest[0] - before) / 2**20


def _resident() -> int:
    """Bytes of this process in memory."""
    import resource

    statm = Path("/proc/self/statm")
    if not statm.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(statm.read_text().split()[1]) * resource.getpagesize()


class TimedPredictor:
    """A predictor that adds up where time goes; the rest of a search is trie, filters and bookkeeping.

    Args:
        predictor: With ``prefill`` and ``step``.
        clock: Measures.

    Attributes:
        seconds: By part: ``prefill``, ``step``, ``normalizer``.
    """

    def __init__(self, predictor: Any, clock: Clock) -> None:
        self.predictor, self.clock = predictor, clock
        self.seconds = {"prefill": 0.0, "step": 0.0, "normalizer": 0.0}

    def prefill(self, *inputs: Tensor) -> Any:
        """See :class:`genrec.models.predictor.CodePredictor`."""
        return self._add("prefill", lambda: self.predictor.prefill(*inputs))

    def step(self, state: Any, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor | StepOutput:
        """See :class:`genrec.models.predictor.CodePredictor`."""
        output = self._add("step", lambda: self.predictor.step(state, codes, parents))
        if not isinstance(output, StepOutput):
            return output
        return StepOutput(output.logits, lambda: self._add("normalizer", output.log_normalizer))

    def _add(self, part: str, work: Callable[[], T]) -> T:
        result, seconds = timed(work, self.clock)
        self.seconds[part] += seconds
        return result


@dataclass
class Times:
    """Repeated runs: seconds in all and by part."""

    totals: list[float] = field(default_factory=list)
    parts: list[dict[str, float]] = field(default_factory=list)

    def add(self, total: float, parts: dict[str, float]) -> None:
        """One more run."""
        self.totals.append(total)
        self.parts.append(parts)

    def median(self, part: str) -> float:
        """Seconds of a part."""
        return statistics.median(one[part] for one in self.parts)

    @property
    def total(self) -> float:
        """Seconds in all."""
        return statistics.median(self.totals)

    @property
    def rest(self) -> float:
        """Seconds outside the model: trie, filters and bookkeeping."""
        return statistics.median(t - sum(one.values()) for t, one in zip(self.totals, self.parts, strict=True))

    @property
    def constraint(self) -> float:
        """The rest as a share of everything but reading the prompts."""
        return statistics.median(
            (t - sum(one.values())) / (t - one["prefill"]) for t, one in zip(self.totals, self.parts, strict=True)
        )
