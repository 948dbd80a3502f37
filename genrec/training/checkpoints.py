"""Checkpoints of a run: which of them are whole, and what an objective keeps in them."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint

from genrec.artifacts import read_json, saved_content, tensor_shapes
from genrec.artifacts.failures import is_of_writing
from genrec.artifacts.files import naming_full_disk
from genrec.errors import ArtifactError
from genrec.training.objectives.base import Objective

logger = logging.getLogger(__name__)

_OBJECTIVE = "objective.safetensors"
_PROBE = 1 << 20
_MOST = 1 << 53
_LIKE_WEIGHTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg", "sum")
"""States of torch's optimizers that have the shape of their weight."""


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
        if isinstance(error, RuntimeError) and not is_of_writing(error):
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
        if not _is_state(read_json(checkpoint / "trainer_state.json")):
            return False
    except (OSError, ValueError):
        return False
    try:  # where power failed, files may have their names and not all of their content
        tensor_shapes(checkpoint / "model.safetensors")
    except ArtifactError:
        return False
    chance = checkpoint.glob("rng_state*.pth")
    return all(map(is_zipfile, [checkpoint / "optimizer.pt", checkpoint / "scheduler.pt", *chance]))


def _is_state(content: Any) -> bool:
    """Whether the state of a trainer can be gone on with."""
    if not isinstance(content, dict) or not content.keys() <= {one.name for one in fields(TrainerState)}:
        return False
    best, log = content.get("best_model_checkpoint"), content.get("log_history", [])
    if not (best is None or (isinstance(best, str) and Path(best).name.startswith(PREFIX_CHECKPOINT_DIR))):
        return False
    if not (isinstance(log, list) and all(isinstance(row, dict) for row in log)):
        return False
    if not isinstance(content.get("stateful_callbacks") or {}, dict):
        return False
    counts = (content.get(name, 0) for name in ("global_step", "max_steps", "num_train_epochs"))
    numbers = (content.get(name) or 0 for name in ("epoch", "best_metric", "total_flos"))
    size = content.get("train_batch_size", 1)
    return (
        all(type(one) is int and 0 <= one < _MOST for one in counts)
        and all(type(one) in (int, float) for one in numbers)
        and type(size) is int
        and size > 0
    )


@contextmanager
def gone_on_with(checkpoint: Path | str) -> Iterator[None]:
    """Around the loading of a checkpoint: what is wrong in it is told as such.

    Raises:
        ArtifactError: It is damaged.
    """
    try:
        with saved_content("checkpoint", checkpoint):
            yield
    except ArtifactError as error:
        hint = "Remove this folder; the same command goes on from the checkpoint before, or begins anew."
        raise ArtifactError(error.what, where=checkpoint, expected=error.expected, hint=hint) from error


def require_fitting(states: Mapping[Tensor, Mapping[str, Any]]) -> None:
    """Refuse states of an optimizer that do not fit their weights.

    Args:
        states: Of every weight.

    Raises:
        ValueError: One has another shape.
    """
    for weight, state in states.items():
        for name, value in state.items():
            if not isinstance(value, Tensor):
                continue
            fits = value.shape == weight.shape if name in _LIKE_WEIGHTS else name != "step" or value.numel() == 1
            if not fits:
                raise ValueError(f"its optimizer's '{name}' does not fit the weights")
