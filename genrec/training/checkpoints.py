"""Checkpoints of a run: which of them are whole, and what an objective keeps in them."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import is_zipfile

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers.trainer_utils import get_last_checkpoint

from genrec.artifacts import read_json, tensor_shapes
from genrec.artifacts.files import naming_full_disk
from genrec.errors import ArtifactError
from genrec.training.objectives.base import Objective

logger = logging.getLogger(__name__)

_OBJECTIVE = "objective.safetensors"
_PROBE = 1 << 20
_TORCH_WRITING = re.compile(r"PytorchStreamWriter|inline_container|iostream error")


def keep_objective(objective: Objective, folder: Path) -> None:
    """Write what an objective must remember into a checkpoint; nothing where there is nothing."""
    if state := objective.state():
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, folder / _OBJECTIVE)


def restore_objective(objective: Objective, folder: Path) -> None:
    """Give an objective what :func:`keep_objective` wrote."""
    if (folder / _OBJECTIVE).is_file():
        objective.load_state(load_file(folder / _OBJECTIVE))


@contextmanager
def whole_or_gone(checkpoint: Path) -> Iterator[None]:
    """Write a checkpoint; one that finds no room is removed, which makes some for the next try.

    Raises:
        ArtifactError: A library could not write a file of it.
    """
    try:
        with naming_full_disk(checkpoint):
            yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and not _TORCH_WRITING.search(str(error)):
            raise
        shutil.rmtree(checkpoint, ignore_errors=True)
        number = getattr(error, "errno", None)
        reason = _no_room(checkpoint.parent) if number is None else os.strerror(number)
        raise ArtifactError(
            f"A checkpoint cannot be written{f': {reason}' if reason else ''}.",
            where=checkpoint,
            expected="room for it, and files as large as it (see ulimit -f)",
            hint="Free some room there and run the same command again: it goes on from the checkpoint before.",
        ) from error


def _no_room(folder: Path) -> str | None:
    """What the system says where a library only says that it failed."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE))
            probe.flush()
    except OSError as error:
        return error.strerror
    return None


def usable_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint in ``folder``; incomplete ones (killed while writing) are removed."""
    while folder.is_dir() and (newest := get_last_checkpoint(str(folder))):
        if _complete(Path(newest)):
            return newest
        logger.warning("Removing the incomplete checkpoint %s.", newest)
        shutil.rmtree(newest)
    return None


def _complete(checkpoint: Path) -> bool:
    # transformers writes trainer_state.json last.
    try:
        read_json(checkpoint / "trainer_state.json")
    except (OSError, ValueError):
        return False
    try:  # where power failed, files may have their names and not all of their content
        tensor_shapes(checkpoint / "model.safetensors")
        return all(is_zipfile(checkpoint / name) for name in ("optimizer.pt", "scheduler.pt"))
    except ArtifactError:
        return False
