"""Being asked to stop: Ctrl-C (SIGINT), and SIGTERM, which ends services, containers and jobs of a cluster."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from genrec.artifacts.interrupts import postponed
from genrec.artifacts.locks import release_left

Handler = Callable[[int, Any], None]


_AGAIN = 0.02
"""Seconds until a swallowed signal is given again: the call has ended by then, or swallows it again."""


class Terminated(KeyboardInterrupt):
    """SIGTERM; whatever ends well after Ctrl-C ends well after this."""


def exit_code(stop: BaseException) -> int:
    """What a shell expects of a process that a signal has ended: 130 or 143."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


def stop(number: int) -> KeyboardInterrupt:
    """What is raised for a signal."""
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


def _raise(number: int, frame: Any) -> None:
    raise stop(number)


@contextmanager
def terminable() -> Iterator[None]:
    """Around a command: SIGTERM raises :class:`Terminated`, Ctrl-C KeyboardInterrupt, neither inside a short step."""
    try:
        with on_signals(_raise), _not_lost():
            yield
    finally:
        release_left()


def stop_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The signal that ended a command; also where compiled code met it, and raised an error of its own from it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, KeyboardInterrupt):
            return link
        if not isinstance(link, SystemError):
            return None
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return None


@contextmanager
def _not_lost() -> Iterator[None]:
    """A signal that met a call which swallows all errors, such as one from compiled code, is given again after it."""
    before, again = sys.unraisablehook, list[threading.Timer]()

    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            before(unraisable)
            return
        number = exit_code(unraisable.exc_value) - 128
        again.append(threading.Timer(_AGAIN, os.kill, [os.getpid(), number]))
        again[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in again:
            timer.cancel()


@contextmanager
def on_signals(handler: Handler, numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)) -> Iterator[None]:
    """Let a handler answer signals; those that are ignored (``nohup``) stay ignored.

    Args:
        handler: Called with the number of the signal and the frame.
        numbers: The signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: known for number, known in before.items() if known is not signal.SIG_IGN}

    def answer(number: int, frame: Any) -> None:
        if not postponed(number):
            handler(number, frame)

    for number in before:
        signal.signal(number, answer)
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)
