"""Single files that readers see whole: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genrec.artifacts.interrupts import in_one_piece
from genrec.artifacts.kinds import PERMISSION
from genrec.artifacts.locks import try_lock, unwritable
from genrec.artifacts.manifest import refuse_inside
from genrec.errors import ArtifactError

_PROBE = 1 << 16
IN_THE_MAKING = re.compile(r"\..+\.tmp-[0-9a-f]{16}")
"""Names of folders that are being written."""
_TEMPORARY = re.compile(r"\.(?P<of>.+)\.([0-9a-f]{16}|\d+)\.tmp", re.DOTALL)

_OF_RUST = re.compile(r"\(os error (\d+)\)")


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Name the output in the error of a full disk.

    Python raises it without a name when bytes are written, and libraries in Rust as an error of their own.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            error.filename = str(path)
        raise
    except Exception as error:
        placed = with_place(error, path)
        if placed is error or getattr(placed, "errno", None) not in _FULL:
            raise
        raise placed from None


@contextmanager
def atomic_file(path: Path | str, *, durable: bool = True) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends without an error.

    The temporary file is locked while it is written; what a killed process left behind holds no lock and is removed.

    Args:
        path: File to make or replace; of a symbolic link, what it points to.
        durable: Flush it to the disk before it gets its name. Inside a folder in the making that is left to the folder.

    Yields:
        An empty file to write to.
    """
    path = behind_links(Path(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    durable = durable and not in_the_making(path)
    sweep_files(path)
    made: list[tuple[Path, int]] = []
    try:
        with in_one_piece():
            made.append(_create(path))
        temporary = made[0][0]
        with naming_full_disk(path):
            yield temporary
        if durable:
            flush(temporary)
        os.replace(temporary, path)
        if durable:
            flush(path.parent)
    finally:
        with in_one_piece():
            for temporary, file in made:
                os.close(file)
                temporary.unlink(missing_ok=True)


def with_place(error: Exception, path: Path) -> Exception:
    """The same error with its number and the file, where a library in Rust said neither: ``… (os error 28)``."""
    found = _OF_RUST.search(str(error))
    if getattr(error, "errno", None) is not None or found is None:
        return error
    return OSError(int(found[1]), _OF_RUST.sub("", str(error)).strip(), str(path))


def write_atomic(path: Path | str, text: str) -> None:
    """Write a text file so that readers see the old or the new content, never a part."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def require_free_file(path: Path | str, *, overwrite: bool = False) -> None:
    """Refuse an output file that is already there or cannot be written, before any work is done.

    Args:
        path: Of the file.
        overwrite: It may be replaced.

    Raises:
        ArtifactError: It exists, it is a folder, or nothing can be written there.
    """
    path = Path(path)
    if path.is_dir():
        raise ArtifactError("The output path is a folder.", where=path, expected="the path of a file")
    if os.path.lexists(path) and not overwrite:
        raise ArtifactError("The output file already exists.", where=path, hint=PERMISSION)
    require_writable(path)


def require_writable(target: Path) -> None:
    """Try to write where an output will be; nothing is left there.

    Raises:
        ArtifactError: Its folder cannot be made or written, or the disk is full.
    """
    refuse_inside(target)
    place = behind_links(target).parent
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise ArtifactError(
            f"The output cannot be written: {place} is a file.", where=target, expected="a path inside a folder"
        )
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(_PROBE))
            probe.flush()
    except OSError as error:
        raise unwritable(target, error) from None


def sweep_files(path: Path) -> None:
    """Remove temporary files of an output that nobody is writing: they hold no lock."""
    sweep_folder(path.parent, re.compile(re.escape(_short(path.name))))


def sweep_folder(folder: Path, outputs: re.Pattern[str]) -> None:
    """Remove temporary files of a folder that nobody is writing, of outputs with such names."""
    for name in _names(folder):
        if (found := _TEMPORARY.fullmatch(name)) and outputs.fullmatch(found["of"]):
            _remove_abandoned(folder / name)


def behind_links(path: Path) -> Path:
    """The path itself, or what it points to where it is a symbolic link."""
    return path.resolve() if path.is_symlink() else path.absolute()


def in_the_making(path: Path) -> bool:
    """Whether a path is inside a folder that has not taken its place yet."""
    return any(IN_THE_MAKING.fullmatch(folder.name) for folder in path.parents)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # file systems that cannot flush folders
            raise
    finally:
        os.close(file)


def begin_flush(path: Path) -> None:
    """Let the system begin to write a file to the disk, without waiting, where it can be told to."""
    if hasattr(os, "posix_fadvise"):
        file = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def _create(path: Path) -> tuple[Path, int]:
    while True:
        temporary = path.with_name(f".{_short(path.name)}.{secrets.token_hex(8)}.tmp")
        file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try_lock(file)
        if temporary.exists():  # else it was swept before it was locked
            return temporary, file
        os.close(file)


def _short(name: str) -> str:
    return name[:200]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _remove_abandoned(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return
    try:
        if try_lock(file):
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
