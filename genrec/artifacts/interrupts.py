"""Steps that a signal must not cut in two: a lock is taken or not, a file is made and known, or not made.

A handler that raises in the middle of such a step would leave a lock file or a half-removed folder behind. Handlers
that ask :func:`postponed` first are called again after the step.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_depth = 0
_waiting: list[int] = []


@contextmanager
def in_one_piece() -> Iterator[None]:
    """Around a short step: signals wait until it is done, and are raised then. Other threads are never interrupted."""
    global _depth
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        while _waiting and not _depth:
            signal.raise_signal(_waiting.pop())


def postponed(number: int) -> bool:
    """Whether a signal has to wait; for the beginning of a handler, which then returns."""
    if _depth:
        _waiting.append(number)
    return bool(_depth)
