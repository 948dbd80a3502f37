"""Folders that appear whole: made beside their place, flushed to the disk, then put there in one step.

At every moment a reader finds the old folder or the new one. Beside a folder ``NAME`` there may be

* ``.NAME.lock``: somebody is writing (:mod:`genrec.artifacts.locks`);
* ``.NAME.tmp-…``: a folder in the making, or an old one on its way out;
* ``.NAME.new-…`` and ``.NAME.old-…``: the two that change places where the system cannot exchange them at once.

Whoever holds the lock may remove the leftovers of a killed process, and first puts back what it cut off.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genrec.artifacts.files import begin_flush, behind_links, flush, in_the_making, naming_full_disk, require_writable
from genrec.artifacts.interrupts import in_one_piece
from genrec.artifacts.kinds import PERMISSION, kind_of, require_kind
from genrec.artifacts.locks import output_lock
from genrec.artifacts.manifest import mark, strangers
from genrec.errors import ArtifactError

logger = logging.getLogger(__name__)

_PATIENCE = 60.0
"""Seconds to wait for another writer: writing takes seconds, and who works for longer holds the lock from the start."""
_LEFT = r"(?P<kind>tmp|new|old)-(?P<rest>[0-9a-f]{16}|\d+-(old-)?\w+)"
_AT_FDCWD, _EXCHANGE, _SWAP = -100, 2, 2


@contextmanager
def atomic_dir(target: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place when the block ends without an error.

    Args:
        target: Folder to make.
        overwrite: Replace a folder that genrec made; otherwise a folder that holds something is an error.

    Raises:
        ArtifactError: The target exists and may not be replaced, also because it is of another kind than what was
            made; or another process is writing it.
    """
    target = behind_links(as_folder(target))
    with output_lock(target, wait=_PATIENCE):
        recover(target)
        require_free(target, overwrite=overwrite)
        work = target.with_name(f".{target.name}.tmp-{secrets.token_hex(8)}")
        try:
            work.mkdir()
            with naming_full_disk(target):
                yield work
            mark(work)
            require_kind(target, kind_of(work))
            _give_rights(work)
            if not in_the_making(work):
                _flush_all(work)
            with in_one_piece():  # what stood there is removed with it
                _put(work, target)
                shutil.rmtree(work, ignore_errors=True)
        finally:
            with in_one_piece():
                shutil.rmtree(work, ignore_errors=True)


def as_folder(target: Path | str) -> Path:
    """The path of a folder to write.

    Raises:
        ArtifactError: It is no path.
    """
    if not isinstance(target, str | os.PathLike):
        raise ArtifactError(f"The folder to write is given by {type(target).__name__}.", expected="a path")
    return Path(target)


def require_free(
    target: Path | str, *, overwrite: bool = False, replaces: bool = True, makes: str | None = None
) -> None:
    """Refuse an output folder that may not be made or replaced, before any work is done.

    Args:
        target: The folder.
        overwrite: A folder that genrec made may be replaced.
        replaces: The whole folder is replaced, not single files in it.
        makes: What will be there, a key of :data:`genrec.artifacts.kinds.KINDS`.

    Raises:
        ArtifactError: The folder exists and is not empty; it holds what genrec did not make, or something of another
            kind; the path is a file; or nothing can be written there.
    """
    target = Path(target)
    if target.is_file():
        raise ArtifactError("The output path is a file.", where=target, expected="a folder that does not exist yet")
    if target.is_dir() and any(target.iterdir()):
        if not overwrite:
            raise ArtifactError("The output folder already exists.", where=target, hint=PERMISSION)
        if replaces:
            require_kind(target, makes)
        if replaces and (found := strangers(target)):
            shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            raise ArtifactError(
                f"The output folder holds what genrec did not make: {shown}.",
                where=target,
                expected="a folder that genrec made, and nothing else in it",
                hint="Only that is ever replaced. Move these files, or choose another place (--out).",
            )
    if replaces and target.is_mount():
        raise ArtifactError(
            "The output folder is a mounted volume, which cannot be replaced as a whole.",
            where=target,
            hint=f"Choose a folder inside it, such as {target / 'model'}.",
        )
    require_writable(target)


def recover(target: Path) -> None:
    """Put back a folder that a killed process had taken away and not yet replaced, and remove what else such left.

    The new folder was complete before the old one was moved, so it is taken; else the old one. The caller holds the
    lock of ``target``: nobody is using what is removed, wherever it runs.
    """
    if not os.path.lexists(target):
        _put_back(target)
    for path, _ in leftovers(target):
        shutil.rmtree(path, ignore_errors=True)


def _put_back(target: Path) -> None:
    left = dict(leftovers(target))
    chosen = next((path for path, kind in left.items() if kind == "new"), None)
    chosen = chosen or next((path for path, kind in left.items() if kind == "old"), None)
    if chosen is None:  # as versions before the lock left it
        chosen = next((path / "old" for path in left if (path / "old").is_dir() and "-old-" in path.name), None)
    if chosen is not None:
        logger.warning("An interrupted replacement of %s is mended.", target)
        os.rename(chosen, target)
        flush(target.parent)


def leftovers(target: Path) -> Iterator[tuple[Path, str]]:
    """What unfinished or interrupted writing has put beside a folder, each with ``tmp``, ``new`` or ``old``."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.{_LEFT}")
    if target.parent.is_dir():
        for name in sorted(os.listdir(target.parent)):
            if found := pattern.fullmatch(name):
                yield target.with_name(name), found["kind"]


def _give_rights(work: Path) -> None:
    """Give every file and folder the rights that the user's umask asks for, as the folder itself has them."""
    rights = work.stat().st_mode & 0o777
    for place, folders, names in os.walk(work):
        for name, wanted in [*((name, rights & 0o666) for name in names), *((name, rights) for name in folders)]:
            path = Path(place, name)
            if not path.is_symlink() and path.stat().st_mode & 0o777 != wanted:
                path.chmod(wanted)


def _flush_all(work: Path) -> None:
    """Wait until all of a folder is on the disk."""
    files = [Path(place, name) for place, _, names in os.walk(work) for name in names]
    for path in files:  # all begin to be written before one is waited for, so that the disk is waited for once
        begin_flush(path)
    for path in [*files, *(Path(place) for place, _, _ in os.walk(work, topdown=False))]:
        flush(path)


def _put(work: Path, target: Path) -> None:
    """Let a finished folder take its place; what stood there is removed afterwards."""
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        os.rename(work, target)
    elif not exchange(work, target):
        new = target.with_name(work.name.replace(".tmp-", ".new-"))
        old = target.with_name(work.name.replace(".tmp-", ".old-"))
        os.rename(work, new)
        os.rename(target, old)
        os.rename(new, target)
        flush(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    flush(target.parent)


def exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step; False where the system or the file system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, ctypes.c_uint(_SWAP))
    elif hasattr(library, "renameat2"):
        here = ctypes.c_int(_AT_FDCWD)
        failed = library.renameat2(here, names[0], here, names[1], ctypes.c_uint(_EXCHANGE))
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(second))
