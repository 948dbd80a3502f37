"""Reading of artefacts that others made and may replace at the same time: all of one version, or one error."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from genrec.artifacts.failures import in_words
from genrec.artifacts.folders import leftovers, recover
from genrec.artifacts.locks import output_lock
from genrec.artifacts.manifest import COPY_AGAIN
from genrec.errors import ArtifactError, ConfigError, DataError, GenRecError

logger = logging.getLogger(__name__)

T = TypeVar("T")
_TRIES = 5
_PATIENCE = 60.0
_RIGHTS, _LATER = "Change the rights of the file or folder.", "Run the same again, with fewer files open (ulimit -n)."
_OF_SYSTEM = {errno.EACCES: _RIGHTS, errno.EPERM: _RIGHTS, errno.EMFILE: _LATER, errno.ENFILE: _LATER}
_FAILURES: tuple[type[BaseException], ...] = (Exception,)


def read_whole(folder: Path | str, kind: str, load: Callable[[], T]) -> T:
    """Load an artefact from one version of its folder.

    Args:
        folder: Of the artefact.
        kind: What it is, for messages.
        load: Reads the folder, after a check of its manifest. Called again where the folder was replaced meanwhile.

    Raises:
        ArtifactError: Whatever is wrong with the content; or the folder is replaced faster than it can be read.
        GenRecError: Of another kind, as ``load`` raises it: a model that is not there, a package that is missing.
    """
    folder = Path(folder)
    mend(folder)
    for _ in range(_TRIES):
        before = _version(folder)
        try:
            with saved_content(kind, folder):
                result = load()
        except GenRecError as error:
            if _version(folder) == before:
                raise _with_advice(error) from error.__cause__
            continue
        if _version(folder) == before:
            return result
    raise ArtifactError(
        f"This {kind} was replaced again and again while it was read.", where=folder, hint="Run the same again."
    )


@contextmanager
def saved_content(kind: str, where: object, *, settings: bool = True) -> Iterator[None]:
    """Around the reading of what an artefact brings: what is wrong with it is wrong with the artefact.

    Args:
        kind: What is read, for messages.
        where: File or folder.
        settings: Whether errors of settings and data are those of the artefact, too.

    Raises:
        ArtifactError: In place of a ConfigError, a DataError, and of whatever foreign content breaks: keys, types,
            ranges, formats.
        GenRecError: Any other, as it is.
    """
    try:
        yield
    except (ConfigError, DataError) as error:
        if not settings:
            raise
        place = where if error.where is None else _below(where, error.where)
        raise ArtifactError(error.what, where=place, expected=error.expected, hint=error.hint or COPY_AGAIN) from error
    except GenRecError:
        raise
    except OSError as error:
        raise _unread(kind, where, error) from error
    except (*_FAILURES, _panic()) as error:
        logger.debug("the %s at %s cannot be read", kind, where, exc_info=True)
        raise ArtifactError(
            f"The {kind} is damaged or of another version: {in_words(error)}.", where=where, hint=COPY_AGAIN
        ) from error


def _unread(kind: str, where: object, error: OSError) -> ArtifactError:
    """The error of a file that the system does not hand out; one that has gone is damage."""
    hint = _OF_SYSTEM.get(error.errno or 0)
    if hint is None:
        said, place, hint = f"is damaged or of another version: {in_words(error)}", where, COPY_AGAIN
    else:
        said, place = f"cannot be read: {error.strerror}", error.filename or where
    return ArtifactError(f"The {kind} {said}.", where=place, hint=hint)


def _with_advice(error: GenRecError) -> GenRecError:
    """The error of a damaged artefact, with what to do where nothing better is known."""
    if error.hint is not None or type(error) is not ArtifactError:
        return error
    return ArtifactError(error.what, where=error.where, expected=error.expected, hint=COPY_AGAIN)


def _below(where: object, place: object) -> str:
    """A place inside another one, which is named once."""
    return str(place) if str(place).startswith(str(where)) else f"{where}: {place}"


def _panic() -> type[BaseException]:
    """What polars raises beside exceptions where a file is damaged."""
    from polars.exceptions import PanicException

    return PanicException


def mend(folder: Path | str) -> None:
    """Put back a folder that a killed process had taken away and not yet replaced; before any look into it."""
    folder = Path(folder)
    if not os.path.lexists(folder) and any(kind != "tmp" or "-old-" in p.name for p, kind in leftovers(folder)):
        with output_lock(folder, wait=_PATIENCE):
            recover(folder)


def _version(folder: Path) -> tuple[int, ...] | None:
    """What tells one folder of a path from the next one."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns
