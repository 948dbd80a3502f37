"""Who uses a network at this moment: many searches in many threads, or one change of its weights."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from genrec.importing import without_collection

with without_collection():  # most of what a process imports ahead of its first recommendation
    from transformers import PreTrainedModel


class Occupancy:
    """Counts the searches that run on one network, in all threads.

    The first one gets the network ready, and the last one clears up; what changes the network waits until none is left.
    A thread that searches itself does not wait for itself.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition(threading.RLock())
        self._own = threading.local()
        self._searches = 0
        self._failed = False
        self._begun: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Occupancy:
        return Occupancy()  # nobody uses the copy

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]

    @property
    def searches(self) -> int:
        """How many searches run at this moment."""
        return self._searches

    @contextmanager
    def search(self, begin: Callable[[], Any], end: Callable[[Any, bool], None]) -> Iterator[None]:
        """Around a search.

        Args:
            begin: Called before the first of the searches that run side by side, while no other one can start.
            end: Called after the last one with what ``begin`` gave, and whether a search failed.
        """
        with self._turn:
            if self._searches == 0:
                self._begun = begin()
            self._searches += 1
        self._own.depth = getattr(self._own, "depth", 0) + 1
        failed = True
        try:
            yield
            failed = False
        finally:
            self._own.depth -= 1
            with self._turn:
                self._searches -= 1
                self._failed |= failed
                if self._searches == 0:
                    failed, self._failed = self._failed, False
                    self._turn.notify_all()
                    end(self._begun, failed)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Around a change of the network: waits until no other thread searches, and lets none start."""
        with self._turn:
            own = getattr(self._own, "depth", 0)
            self._turn.wait_for(lambda: self._searches <= own)
            yield


class SharedModel(PreTrainedModel):
    """A network that any number of threads may search at once.

    Attributes:
        occupancy: Who does.
    """

    stays_ready: bool = False
    """Whether what :meth:`decoding` prepares is kept between its uses, as a model needs that answers single requests.
    It ends with training mode, or :meth:`end_decoding`, to be called before weights are changed by other means."""

    def __init__(self, config: Any, *inputs: Any) -> None:
        super().__init__(config, *inputs)
        self.occupancy = Occupancy()

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Around calls of ``prefill`` and ``step`` between which no weight changes.

        The network is in evaluation mode until the last thread leaves. What is prepared for the search (copies of
        weights in another layout, for instance) is given up then, or kept for the next time where the model
        ``stays_ready``.
        """
        with self.occupancy.search(self._begin, self._end):
            yield

    def _begin(self) -> bool:
        was_training = any(module.training for module in self.modules())
        if was_training:
            self.training = True  # of a twin, which has its own: the modules below are shared
            self.eval()
        try:
            self._prepare_decoding()
        except BaseException:
            self._end(was_training, True)
            raise
        return was_training

    def _end(self, was_training: bool, failed: bool) -> None:
        if failed or not self.stays_ready:
            self.end_decoding()
        if was_training:
            self.train()

    def _prepare_decoding(self) -> None:
        """Make what all searches share; nothing where it is there already."""

    def end_decoding(self) -> None:
        """Give up what :meth:`decoding` has kept; weights may then change."""

    def train(self, mode: bool = True) -> Self:
        """Training and evaluation mode, as every module; copies of weights that a search holds end with either."""
        if mode == self.training:
            return super().train(mode)  # type: ignore[return-value]
        with self.occupancy.alone():
            self.end_decoding()
            search = getattr(self, "search", None)
            if search is not None:
                search.forget()
            return super().train(mode)  # type: ignore[return-value]
