"""Micro-batching: one thread a model decodes the asks that wait together."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from genrec.recommender import Recommender
from genrec.serving.asks import Ask, Found, decode
from genrec.serving.errors import QueueFullError

logger = logging.getLogger(__name__)


class Watcher(Protocol):
    """Is told what a decoder does, from its thread."""

    def decoded(self, users: int, requests: int, seconds: float, waited: float) -> None:
        """A batch is done.

        Args:
            users: Of the batch.
            requests: That they belong to.
            seconds: Decoding took.
            waited: Seconds that the first of them had waited.
        """


@dataclass(eq=False)
class Job:
    """Asks of one request, all for one version of one model.

    Attributes:
        recommender: Answers them.
        asks: One a user.
        results: Of the asks that are done.
        future: Gets the results of all, or the first error.
        waiting: Numbers of the asks that no batch has taken yet.
        passed: Batches that could have taken one of its asks and took others.
        since: When it came, on the monotonic clock.
    """

    recommender: Recommender
    asks: Sequence[Ask]
    results: list[Found | None]
    future: Future[list[Found]]
    waiting: deque[int]
    left: int
    passed: int = 0
    since: float = field(default_factory=time.monotonic)


Batch = list[tuple[Job, int]]

_POOL = 4  # batches that a batch is chosen from
_PASSED = 3  # batches that may take others before a job


class Decoder:
    """Decodes asks in a thread of its own, together where they are of one kind.

    Requests take turns, one user each, so that a request of many users does not hold up the others. Where more users
    wait than a batch holds, histories of about the same length are decoded together.

    Args:
        name: Of the model, for the thread.
        window: Seconds that a batch with room waits for company, where the one before it had some. A client that is
            alone never waits.
        room: Users that may wait.
        watcher: Is told of every batch.
        threads: Cores for one batch; None: as torch does.
    """

    def __init__(
        self,
        name: str,
        *,
        window: float = 0.002,
        room: int = 1024,
        watcher: Watcher | None = None,
        threads: int | None = None,
    ) -> None:
        self.window, self.room, self.watcher, self.threads = window, room, watcher, threads
        self._jobs: deque[Job] = deque()
        self._waiting = 0
        self._before = 0  # requests of the batch before this one
        self._pace = 0.01  # seconds a user, as decoding has lately been
        self._changed = threading.Condition()
        self._cores = 1  # that take rounds of a batch side by side
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"decode {name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Users that wait."""
        return self._waiting

    def submit(self, recommender: Recommender, asks: Sequence[Ask]) -> Future[list[Found]]:
        """Put asks into the queue.

        Args:
            recommender: Of the version that the positions in the asks belong to.
            asks: One a user, at least one.

        Returns:
            Gets one result an ask; cancelled, asks that are not decoded yet are dropped.

        Raises:
            QueueFullError: There is no room for them, or the decoder is stopping.
        """
        future: Future[list[Found]] = Future()
        with self._changed:
            if self._stopping or self._waiting + len(asks) > self.room:
                raise QueueFullError(max(1, math.ceil(self._waiting * self._pace)))
            numbers = deque(range(len(asks)))
            self._jobs.append(Job(recommender, asks, [None] * len(asks), future, numbers, len(asks)))
            self._waiting += len(asks)
            self._changed.notify()
        return future

    def stop(self, patience: float = 30.0) -> None:
        """Decode what waits, then end the thread; later asks are refused."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        self._cores = torch.get_num_threads()
        while (batch := self._next()) is not None:
            if batch:
                self._decode(batch)
            del batch  # nothing of it is held while the thread waits

    def _next(self) -> Batch | None:
        """The next batch, empty where all that waited was cancelled; None: the decoder has stopped."""
        with self._changed:
            while not self._jobs:
                if self._stopping:
                    return None
                self._changed.wait()
            until = time.monotonic() + self.window
            while len(self._jobs) < self._before and (rest := until - time.monotonic()) > 0:
                self._changed.wait(rest)
            self._drop_cancelled()
            return self._take() if self._jobs else []

    def _take(self) -> Batch:
        """Asks of the kind that waits longest, as many as make steps efficient.

        Requests take turns. Where more wait than there is room for, those come along whose histories are about as long
        as the first one's: a batch of T5 then costs a tenth less (``scripts/bench_serve.py``), for less of it is
        padding. Nobody is passed over more than a few times.
        """
        first = self._jobs[0]
        ask = first.asks[first.waiting[0]]
        most, length = most_at_once(first.recommender, ask, self._cores), len(ask.history)
        found = self._of_kind(first, _POOL * most)
        if len(found) > most:

            def distance(one: tuple[Job, int]) -> int:
                job, number = one
                return -1 if job.passed == _PASSED else abs(len(job.asks[number].history) - length)

            others = sorted(found[1:], key=distance)
            batch = [found[0], *others[: most - 1]]
        else:
            batch = found
        for job in {id(job): job for job, _ in found}.values():
            job.passed = min(job.passed + 1, _PASSED)
        for job, number in batch:
            job.waiting.remove(number)
            job.passed = 0
        self._waiting -= len(batch)
        self._jobs.rotate(-1)
        self._jobs = deque(job for job in self._jobs if job.waiting)
        return batch

    def _of_kind(self, first: Job, most: int) -> Batch:
        """Asks that can be decoded together with the first one of a job, which comes first; jobs take turns."""
        kind = first.asks[first.waiting[0]].kind
        left = [(job, iter(job.waiting)) for job in self._jobs if job.recommender is first.recommender]
        found: Batch = []
        while left and len(found) < most:
            more = []
            for job, numbers in left:
                number = next(numbers, None)
                if number is not None and job.asks[number].kind == kind:
                    found.append((job, number))
                    more.append((job, numbers))
            left = more
        return found[:most]

    def _drop_cancelled(self) -> None:
        if any(job.future.cancelled() for job in self._jobs):
            self._jobs = deque(job for job in self._jobs if not job.future.cancelled())
            self._waiting = sum(len(job.waiting) for job in self._jobs)

    def _decode(self, batch: Batch) -> None:
        began = time.monotonic()
        requests = {id(job): job for job, _ in batch}
        self._before = len(requests)
        try:
            self._finish(batch, decode(batch[0][0].recommender, [job.asks[number] for job, number in batch]))
        except BaseException as error:
            if len(requests) == 1:
                self._fail(batch[0][0], error)
            else:  # none fails because of its company
                for job in requests.values():
                    self._decode([(one, number) for one, number in batch if one is job])
            return
        seconds = time.monotonic() - began
        self._pace += 0.2 * (seconds / len(batch) - self._pace)
        if self.watcher is not None:
            waited = began - min(job.since for job in requests.values())
            self.watcher.decoded(len(batch), len(requests), seconds, waited)

    def _finish(self, batch: Batch, results: Sequence[Found]) -> None:
        for (job, number), result in zip(batch, results, strict=True):
            job.results[number] = result
            job.left -= 1
            if not job.left and job.future.set_running_or_notify_cancel():
                job.future.set_result([one for one in job.results if one is not None])

    def _fail(self, job: Job, error: BaseException) -> None:
        with self._changed:
            self._waiting -= len(job.waiting)
            job.waiting.clear()
            self._jobs = deque(one for one in self._jobs if one is not job)
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(error)


def most_at_once(recommender: Recommender, ask: Ask, cores: int = 1) -> int:
    """Users of one batch: as many as make the model's steps efficient on its device, a round of them for every core."""
    if ask.options is None:
        return 256
    device = str(getattr(getattr(recommender, "device", None), "type", "cpu"))
    return ask.options.users_at_once(ask.k, device) * (cores if device == "cpu" else 1)
