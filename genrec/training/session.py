"""A training run as a folder: what it was started with, its checkpoints, and whether it may go on.

``OUT.training`` stands beside the output folder until training is done, so that the same command again continues it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from genrec.artifacts import read_manifest, write_atomic
from genrec.config import parse
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError, GenRecError
from genrec.generative.config import TrainConfig
from genrec.generative.recommender import MANIFEST

logger = logging.getLogger(__name__)


def run_identity(
    config: TrainConfig, train: Histories, index_fingerprint: str, checkpoint: str | None = None
) -> dict[str, Any]:
    """What decides the outcome of a run: settings, training data, index, and the weights it starts from."""
    digest = hashlib.sha256()
    for array in (train.offsets, train.items):
        digest.update(np.ascontiguousarray(array).tobytes())
    settings = config.model_dump(mode="json")
    # Decoding settings do not change what training does.
    settings.pop("generation")
    identity = {"settings": settings, "data": digest.hexdigest()[:16], "index": index_fingerprint}
    return identity if checkpoint is None else {**identity, "checkpoint": checkpoint}


class TrainingFolder:
    """The working folder of a run.

    Args:
        out: Where the recommender will be; the working folder is ``OUT.training``.
    """

    def __init__(self, out: Path | str) -> None:
        out = Path(out)
        self.folder = out.with_name(f"{out.name}.training")
        self.checkpoints = self.folder / "checkpoints"

    def open(self, identity: dict[str, Any], *, overwrite: bool = False) -> None:
        """Start or continue the run.

        Raises:
            ArtifactError: The folder holds an unfinished run with other settings, data or index; names what differs.
        """
        path = self.folder / "run.json"
        if path.is_file() and not overwrite:
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = changes(before, identity)
            if changed:
                raise ArtifactError(
                    "An unfinished run with other inputs is in the way.",
                    where=self.folder,
                    expected="the same settings, interactions and index; different: " + "; ".join(changed[:5]),
                    hint="Repeat the first command to continue it, or pass --overwrite to start anew.",
                )
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        write_atomic(path, json.dumps(identity, indent=2) + "\n")

    def remove(self) -> None:
        """Delete the working folder: the run is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def changes(before: Any, after: dict[str, Any]) -> list[str]:
    """What differs between the identity of an earlier run and this one, as ``key: old → new``.

    A setting that the earlier run did not know had its default value there.
    """
    if isinstance(before, dict) and isinstance(before.get("settings"), dict):
        known = {key: value for key, value in before["settings"].items() if key in TrainConfig.model_fields}
        try:
            settings = parse(TrainConfig, known).model_dump(mode="json", exclude={"generation"})
        except ConfigError:
            settings = before["settings"]
        before = {**before, "settings": {**before["settings"], **settings}}
    return differences(before, json.loads(json.dumps(after)))


def differences(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Keys at which two nested settings differ, as ``key: old → new``."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{prefix}{key}.")]
    return [] if before == after else [f"{prefix.rstrip('.')}: {before} → {after}"]


class TrainingStoppedError(GenRecError):
    """Training was stopped on request; a checkpoint is there and the same call continues."""


def check_stopped(trainer: Any, callbacks: Sequence[TrainerCallback], folder: Path) -> None:
    """End here where a callback stopped the run.

    Args:
        trainer: After ``train``.
        callbacks: Those with ``requested`` set have stopped it.
        folder: Of the unfinished run.

    Raises:
        TrainingStoppedError: One did.
    """
    if any(getattr(callback, "requested", False) for callback in callbacks):
        raise TrainingStoppedError(
            f"Training stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; nothing is lost.",
            where=folder,
            hint="Run the same command again to continue.",
        )


def is_finished(
    out: Path, identity: dict[str, Any], overwrite: bool, differ: Callable[[Any, dict[str, Any]], list[str]] = changes
) -> bool:
    """Whether a folder already holds what a run would make.

    Args:
        out: Folder of the recommender.
        identity: Of the run.
        overwrite: What is there may be replaced, so nothing is ever finished.
        differ: Names what differs between the identity that was saved and this one.

    Raises:
        ArtifactError: The folder holds something else, or the result of other inputs.
    """
    if overwrite or not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / MANIFEST).is_file():
        raise ArtifactError(
            "The output folder already exists and is not a recommender.",
            where=out,
            hint="Choose another --out, or pass --overwrite.",
        )
    changed = differ(read_manifest(out, MANIFEST, "recommender").get("run"), identity)
    if changed:
        raise ArtifactError(
            "The output folder holds a recommender trained with other inputs.",
            where=out,
            expected="the same settings and data; different: " + "; ".join(changed[:5]),
            hint="Choose another --out, or pass --overwrite.",
        )
    logger.info("%s is already trained with these settings; nothing to do.", out)
    return True
