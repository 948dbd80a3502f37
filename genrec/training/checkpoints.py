"""Checkpoints of a run: which of them are whole, and what an objective keeps in them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from zipfile import is_zipfile

from safetensors.torch import load_file, save_file
from transformers.trainer_utils import get_last_checkpoint

from genrec.artifacts import read_json, tensor_shapes
from genrec.errors import ArtifactError
from genrec.training.objectives.base import Objective

logger = logging.getLogger(__name__)

_OBJECTIVE = "objective.safetensors"


def keep_objective(objective: Objective, folder: Path) -> None:
    """Write what an objective must remember into a checkpoint; nothing where there is nothing."""
    if state := objective.state():
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, folder / _OBJECTIVE)


def restore_objective(objective: Objective, folder: Path) -> None:
    """Give an objective what :func:`keep_objective` wrote."""
    if (folder / _OBJECTIVE).is_file():
        objective.load_state(load_file(folder / _OBJECTIVE))


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
