"""What goes wrong below genrec, as one message: disks, files, memory."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from genrec.artifacts.failures import is_of_writing
from genrec.errors import ConfigError, GenRecError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LIBRARIES = {
    ("polars.exceptions", "PolarsError"): "polars",
    ("pyo3_runtime", "PanicException"): "polars",
    ("safetensors._safetensors_rust", "SafetensorError"): "safetensors",
}
_NO_TEMPORARY = "No usable temporary directory found"
_SPEAKERS = ("rich.", "typer.")
_ODD = re.compile("[\udc80-\udcff]")  # how Python keeps bytes that are no text
_TORCH_MEMORY = re.compile(r"(?<=DefaultCPUAllocator: ).*allocate.*?bytes|Storage size calculation overflowed.*")
_LOOP = re.compile(r"Symlink loop from '(.*)'$", re.DOTALL)


def refuse_odd_bytes(values: Iterable[object]) -> None:
    """Refuse arguments of a command with bytes that are no UTF-8: no library below can be given such a path.

    Raises:
        ConfigError: Names the first.
    """
    for value in values:
        if isinstance(value, list | tuple):
            refuse_odd_bytes(value)
        elif isinstance(value, str | Path) and _ODD.search(str(value)):
            raise ConfigError(
                "An argument holds bytes that are no UTF-8.",
                where=str(value),
                hint="Rename the file or folder, and let the locale be UTF-8 (LC_ALL=C.UTF-8).",
            )


def explained(error: BaseException, written: Sequence[Path] = ()) -> GenRecError | None:
    """An error that a user can understand for one of the system or of a library; None for all others.

    Args:
        error: Whatever ended a command.
        written: What the command had written before, whole.
    """
    if isinstance(error, GenRecError):
        return error
    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, OSError):
        if written and error.filename is None:
            return GenRecError(
                f"The report of this command cannot be written: {error.strerror or _first(error)}.",
                hint=f"What it made is whole: {', '.join(map(str, written))}.",
            )
        return _of_system(error)
    if isinstance(error, RuntimeError) and (loop := _LOOP.match(str(error))):
        return GenRecError(
            "A link leads back to itself.", where=loop[1], hint="Remove the link, or choose another path."
        )
    asked = _TORCH_MEMORY.search(str(error)) if isinstance(error, RuntimeError) else None
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or asked:
        return GenRecError(
            f"There is not enough memory: {asked[0] if asked else _first(error)}",
            hint="Use smaller batches (settings batch_users, trainer.per_device_train_batch_size), fewer beams, or "
            "smaller sizes of what is built.",
        )
    if isinstance(error, RuntimeError) and is_of_writing(error):
        return GenRecError(f"A checkpoint cannot be written: {_first(error)}", hint="Is the disk full?")
    for cls in type(error).__mro__:
        if (library := _LIBRARIES.get((cls.__module__, cls.__name__))) is not None:
            return GenRecError(
                f"A file cannot be read or written ({library}: {_first(error)}).",
                hint="Is the disk full, or a file damaged? Nothing was half-written.",
            )
    return None


def _of_system(error: OSError) -> GenRecError:
    if error.errno is None and "shared object" in str(error):
        return GenRecError(
            f"A library of compiled code cannot be loaded: {_first(error)[:120]}",
            hint="There may be too little memory (ulimit -v), or the installation is broken: install genrec anew.",
        )
    if _NO_TEMPORARY in str(error):
        return GenRecError(
            f"There is no folder for temporary files{str(error).partition(_NO_TEMPORARY)[2]}.",
            hint="Name one that may be written (export TMPDIR=FOLDER); in a container mount one at /tmp.",
        )
    files = [str(name) for name in (error.filename, error.filename2) if name is not None]
    if not files and _while_speaking(error):
        return GenRecError(
            f"What this command says cannot be written: {error.strerror or _first(error)}.",
            where="standard output (what > or | leads to)",
            hint="Free some room there, or send it elsewhere, and run the same command again.",
        )
    if error.errno in _FULL:
        hint = "Free some room there, or choose another place, and run the same command again."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "Change the rights of the file or folder, or choose another place."
    else:
        hint = "Check the path and run the same command again."
    return GenRecError(
        f"A file cannot be read or written: {error.strerror or _first(error)}.",
        where=" and ".join(files) or None,
        hint=f"{hint} Nothing was half-written.",
    )


def _while_speaking(error: OSError) -> bool:
    """Whether what failed is a command that says something, not one that reads or writes files."""
    trace, module = error.__traceback__, ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        trace = trace.tb_next
    return module.startswith(_SPEAKERS)


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
