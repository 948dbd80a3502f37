"""Outputs of a command: reserved before the work starts, for as long as the command runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from genrec.artifacts import output_lock, recover, require_free, require_free_file
from genrec.artifacts.files import require_writable
from genrec.errors import ArtifactError


class Claims:
    """What one command has claimed.

    Args:
        given: All files and folders that the command was given, its output among them.

    Attributes:
        stack: Ends the claims.
    """

    def __init__(self, given: Iterable[Path] = ()) -> None:
        self.stack = ExitStack()
        self._given = list(given)
        self._before: dict[Path, object] = {}

    def reads(self, paths: Iterable[Path]) -> None:
        """Add files and folders that the command was given as text."""
        self._given += paths

    def refuse_input(self, target: Path) -> None:
        """Refuse an output that is also an input: the command would replace what it was made from.

        Raises:
            ArtifactError: The file or folder was given twice.
        """
        seen = _identity(target)
        if seen is not None and sum(_identity(path) == seen for path in self._given) > 1:
            raise ArtifactError(
                "The output is also what this command reads: it would be lost.",
                where=target,
                hint="Choose another place for the output.",
            )

    def watch(self, target: Path) -> None:
        """Remember how an output that is put in its place as a whole stood before the command."""
        self._before[target] = _identity(target)

    def written(self) -> list[Path]:
        """Outputs that the command has put in their places: whole, each in one step."""
        now = {target: _identity(target) for target in self._before}
        return [target for target, seen in now.items() if seen not in (None, self._before[target])]


_commands: list[Claims] = []


@contextmanager
def claims(given: Iterable[Path] = ()) -> Iterator[Claims]:
    """Around a command: what it claims is its own until it ends.

    Args:
        given: See :class:`Claims`.
    """
    mine = Claims(given)
    with mine.stack:
        _commands.append(mine)
        try:
            yield mine
        finally:
            _commands.pop()


def part_of_another() -> bool:
    """Whether a command is running, such as ``genrec demo`` around the commands that it is made of."""
    return bool(_commands)


def note_inputs(given: Path | Sequence[Path]) -> None:
    """Say which folders the command in progress reads, where they were given as names."""
    if _commands:
        _commands[-1].reads([given] if isinstance(given, Path) else given)


def _identity(target: Path) -> tuple[int, int] | None:
    """What tells a file or folder from another one of the same name; None where there is none."""
    try:
        found = target.stat()
    except (OSError, ValueError):  # the latter of texts that no path can be
        return None
    return found.st_dev, found.st_ino


def claim(
    folder: Path,
    *,
    makes: str | None,
    overwrite: bool = False,
    resumes: str | None = None,
    on_wait: Callable[[str], None] | None = None,
    in_place: bool = False,
) -> None:
    """Reserve an output folder.

    Args:
        folder: The folder.
        makes: What will be there, a key of :data:`genrec.artifacts.kinds.KINDS`, in place of nothing else; None: the
            folder stays, and files in it are replaced.
        overwrite: It may be there already, if genrec made it.
        resumes: A folder with a file of this name may be there: the command says itself what it does with it.
        on_wait: Wait for another process that is writing it, after a call with a sentence that says so.
        in_place: What is there may be what the command reads: it goes into what takes its place.

    Raises:
        ArtifactError: It exists and may not be replaced, cannot be written, or another process is writing it.
    """
    if not _reserve(folder, on_wait):
        return
    replaces = makes is not None
    if replaces and not in_place:
        _commands[-1].refuse_input(folder)
    recover(folder)
    if resumes is None or overwrite or not (folder / resumes).is_file():
        require_free(folder, overwrite=overwrite, replaces=replaces, makes=makes)
    if replaces:
        _commands[-1].watch(folder)


def claim_file(path: Path, *, overwrite: bool = False) -> None:
    """Reserve an output file.

    Raises:
        ArtifactError: It exists and may not be replaced, cannot be written, or another process is writing it.
    """
    if _reserve(path):
        _commands[-1].refuse_input(path)
        require_free_file(path, overwrite=overwrite)
        _commands[-1].watch(path)


def claim_job(folder: Path) -> None:
    """Reserve an output folder of which the job itself says whether it may go on there.

    Raises:
        ArtifactError: It cannot be written, or another process is writing it.
    """
    new = not folder.exists()
    if _reserve(folder):
        if new:  # where the job ends with nothing in it, it leaves nothing
            _commands[-1].stack.callback(_remove_empty, [folder])
        require_writable(folder / "part")


def _reserve(target: Path, on_wait: Callable[[str], None] | None = None) -> bool:
    """Lock an output; of several processes that work together only the first one does."""
    if os.environ.get("RANK", "0") != "0":
        return False
    stack = _commands[-1].stack
    missing = [parent for parent in target.absolute().parents if not os.path.exists(parent)]
    stack.callback(_remove_empty, missing)
    stack.enter_context(output_lock(target, wait=0.0 if on_wait is None else None, on_wait=on_wait))
    return True


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for an output which then did not come about, innermost first."""
    for folder in folders:
        if folder.name == "..":  # of a path such as made/../out, which is another folder
            continue
        with suppress(OSError):  # it is not empty, or was never made
            folder.rmdir()
