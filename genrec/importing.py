"""Imports of large libraries, made cheaper: Python looks for no garbage while they go on.

A large import makes about a million objects that live as long as the process. Python's collector walks over all of them
again and again in the meantime, and finds next to nothing.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _OLDER = 50_000, 50
"""New objects after which a command looks for garbage; after so many times it looks at older ones, too. Python's own
numbers are 700 and 10."""


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection inside; blocks may stand in one another and in any thread.

    What was made inside counts as old afterwards, so that no young collection walks over it first; where nothing was
    imported, there is nothing to do. A collector that was off before stays off, and objects that somebody froze stay
    frozen: Python counts these one by one.
    """
    was_on, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if len(sys.modules) != known and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def collect_seldom() -> None:
    """Let a process that is all genrec's collect less often: for commands, never for a library in another process."""
    if gc.isenabled():
        gc.set_threshold(_YOUNG, _OLDER, gc.get_threshold()[2])
