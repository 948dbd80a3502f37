"""One writer at a time: locks of the operating system, which end with the process that holds them, however it ends.

A process number says nothing in another container or on another machine that shares the volume; a lock does.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from genrec.artifacts.interrupts import in_one_piece
from genrec.artifacts.manifest import read_json, refuse_inside
from genrec.errors import ArtifactError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_PAUSE = 0.05
_WITHOUT = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_warned: set[Path] = set()


@dataclass
class _Held:
    """A lock as the threads of this process share it."""

    turn: threading.RLock = field(default_factory=threading.RLock)
    depth: int = 0
    file: int | None = None


_held: dict[Path, _Held] = {}
_guard = threading.Lock()


def lock_path(target: Path) -> Path:
    """The lock file of an output; it is there only while somebody writes."""
    return target.with_name(f".{target.name}.lock")


def try_lock(file: int) -> bool | None:
    """Lock an open file for this process alone, without waiting.

    Returns:
        False where another process has it; None where the file system knows no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT:
            return None
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


@contextmanager
def output_lock(
    target: Path | str, *, wait: float | None = 0.0, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Be the only process, and the only thread, that writes an output; the same thread may enter again.

    Args:
        target: File or folder, which need not exist; its folder is made where it is missing.
        wait: Seconds to wait for another writer; None: as long as it takes.
        on_wait: Called once with a sentence, before waiting.

    Raises:
        ArtifactError: Another process is writing it, or its folder cannot be written.
    """
    path = lock_path(target := Path(target).absolute())
    refuse_inside(target)
    with _guard:
        held = _held.setdefault(path, _Held())
    limit = None if wait is None else time.monotonic() + wait
    if not held.turn.acquire(timeout=-1 if wait is None else wait):
        raise _busy(target, "another thread of this process")
    outer = held.depth == 0
    try:
        if outer:
            _acquire(held, path, target, limit, on_wait)
        held.depth += 1
        yield
    finally:
        with in_one_piece():
            if outer:
                held.depth = 0
                if held.file is not None:
                    _release(path, held.file)
                    held.file = None
            else:
                held.depth -= 1
            held.turn.release()


def release_left() -> None:
    """Give up what a signal has left locked: for the end of a command, when nothing is written any more.

    A handler may raise in the moment before :func:`output_lock` gives its lock up. The lock itself ends with the
    process, but its file would stay.
    """
    with in_one_piece():
        for path, held in list(_held.items()):
            if held.file is not None:
                _release(path, held.file)
                held.file, held.depth = None, 0


def _acquire(held: _Held, path: Path, target: Path, limit: float | None, on_wait: Callable[[str], None] | None) -> None:
    """Open and lock the lock file; none is held where the file system knows no locks."""
    told = False
    while not _attempt(held, path, target):
        holder = _holder(path)
        if limit is not None and time.monotonic() >= limit:
            raise _busy(target, holder)
        if on_wait is not None and not told:
            told = True
            on_wait(f"Waiting for {holder}, which is writing {target} …")
        time.sleep(_PAUSE)


def _attempt(held: _Held, path: Path, target: Path) -> bool:
    """Take the lock if nobody has it."""
    while True:
        with in_one_piece():
            file = _open(path, target)
            locked = try_lock(file)
            if locked is None:
                os.close(file)
                _release_unlocked(path)
                return True
            if locked and _is_still(path, file):
                held.file = file
                _write_holder(file)
                return True
            os.close(file)
        if not locked:
            return False
        # the holder before us has just removed its file


def _open(path: Path, target: Path) -> int:
    """The lock file; a link is not followed: what it points to would be emptied."""
    if os.path.islink(path):
        raise ArtifactError(
            "The lock file of this output is a link, which genrec never makes.",
            where=path,
            hint="Look where it leads, and remove it.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        except PermissionError as error:
            try:
                return os.open(path, os.O_RDONLY | _NO_LINK)  # left by another user: a lock needs no right to write
            except FileNotFoundError:
                raise error from None
    except OSError as error:
        raise unwritable(target, error) from None


def _is_still(path: Path, file: int) -> bool:
    """Whether a lock file is still the one of that name: its holder removes it."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _release(path: Path, file: int) -> None:
    # Removed while it is locked, so that nobody holds a file that another process no longer finds.
    path.unlink(missing_ok=True)
    os.close(file)


def _release_unlocked(path: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent not in _warned:
        _warned.add(path.parent)
        logger.warning("The file system of %s knows no locks: let only one process at a time write there.", path.parent)


def _write_holder(file: int) -> None:
    """Who holds the lock, for the messages of others; it decides nothing."""
    program = os.path.basename(sys.argv[0]).replace("__main__.py", "genrec")  # of python -m genrec
    command = " ".join([program, *sys.argv[1:]])[:200]
    about = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": time.time()}
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(about).encode(), 0)
    except OSError:  # a lock file of another user
        return


def _holder(path: Path) -> str:
    try:
        about = read_json(path)
        since = time.strftime("%H:%M:%S", time.localtime(float(about["since"])))
        return f"process {about['pid']} on {about['host']} ({about['command']}, since {since})"
    except (OSError, ValueError, OverflowError, KeyError, TypeError):
        return "another process"


def _busy(target: Path, holder: str) -> ArtifactError:
    return ArtifactError(
        f"This output is being written by {holder}.",
        where=target,
        expected="one writer at a time",
        hint="Wait until it has ended, or choose another output.",
    )


def unwritable(target: Path, error: OSError) -> ArtifactError:
    """The error of an output that cannot be written."""
    place = next(folder for folder in target.absolute().parents if os.path.exists(folder))
    if not place.is_dir():
        said = f"The output cannot be written: {place} is a file."
        return ArtifactError(said, where=target, expected="a path inside a folder")
    return ArtifactError(
        f"The output cannot be written: {error.strerror or error}.",
        where=target,
        expected="a place with room where you may write",
        hint="Choose another output, free some room, or change the rights of the folder.",
    )
