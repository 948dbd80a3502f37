"""A training run as a folder: what it was started with, its checkpoints, and whether it may go on.

``OUT.training`` stands beside the output folder until training is done, so that the same command again continues it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from transformers import TrainerCallback

from genrec.artifacts import output_lock, read_json, read_manifest, recover, require_free, write_atomic
from genrec.artifacts.kinds import PERMISSION, require_kind
from genrec.config import parse
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError, GenRecError
from genrec.generative.config import TrainConfig
from genrec.models import find_network
from genrec.recommender import MANIFEST
from genrec.training.distributed import is_main_process

logger = logging.getLogger(__name__)

_RUN = "run.json"
_PARTS = {"checkpoints", "tokenizer", "tokenizer.tmp", "vectors"}  # what is left where emptying a run was cut off
Run = TypeVar("Run", bound=Callable[..., Any])


def one_at_a_time(run: Run) -> Run:
    """Of all calls of a function with the same argument ``out``, in any process, let one do its work.

    Raises:
        ArtifactError: Another process is at work there.
    """

    @functools.wraps(run)
    def reserved(*args: Any, **kwargs: Any) -> Any:
        out = inspect.signature(run).bind(*args, **kwargs).arguments.get("out")
        if out is None or not is_main_process():
            return run(*args, **kwargs)
        with output_lock(out):
            recover(Path(out))
            return run(*args, **kwargs)

    return reserved  # type: ignore[return-value]


def run_identity(
    config: TrainConfig, train: Histories, index_fingerprint: str, checkpoint: str | None = None
) -> dict[str, Any]:
    """What decides the outcome of a run: settings, training data, index, and the weights it starts from."""
    digest = hashlib.sha256()
    read = [train.offsets, train.items]
    if train.timestamps is not None and find_network(config.model.architecture).reads_times:
        read.append(train.timestamps)
    for array in read:
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
        self.out = Path(out)
        self.folder = self.out.with_name(f"{self.out.name}.training")
        self.checkpoints = self.folder / "checkpoints"

    def open(self, identity: dict[str, Any], *, overwrite: bool = False, makes: str = "recommender") -> None:
        """Start or continue the run.

        Args:
            identity: Of the run.
            overwrite: What is at the output may be replaced, and a run with other inputs forgotten.
            makes: What the run ends with, a key of :data:`genrec.artifacts.kinds.KINDS`.

        A run with other inputs that has not reached its first checkpoint is forgotten: nothing was learned in it, and
        what stopped it may have been a wrong setting.

        Raises:
            ArtifactError: The folder holds an unfinished run with other settings, data or index (it says which), or
                something that is no run; or the output may not be replaced.
        """
        require_free(self.out, overwrite=overwrite, makes=makes)
        path = self.folder / _RUN
        if path.is_file() and not overwrite:
            changed = changes(self._begun(path), identity)
            if not changed:
                return
            if any(self.checkpoints.glob("checkpoint-*/trainer_state.json")):
                raise ArtifactError(
                    "An unfinished run with other inputs is in the way.",
                    where=self.folder,
                    expected="the same settings, interactions and index; different: " + "; ".join(changed[:5]),
                    hint="Repeat the first command to continue it, or pass --overwrite (overwrite=True in Python).",
                )
        self._refuse_foreign()
        shutil.rmtree(self.folder, ignore_errors=True)
        write_atomic(path, json.dumps(identity, indent=2) + "\n")

    def _begun(self, path: Path) -> Any:
        """What the run in the folder was started with; nothing where that cannot be read."""
        try:
            return read_json(path)
        except ValueError:
            return None

    def _refuse_foreign(self) -> None:
        """Only a folder of a run is ever emptied."""
        if not (self.folder / _RUN).is_file() and (found := self._foreign()):
            raise ArtifactError(
                f"The place for unfinished training holds what is not of a run: {', '.join(sorted(found)[:5])}.",
                where=self.folder,
                expected="nothing there, or an unfinished run",
                hint="Move it, or choose another place (--out).",
            )

    def _foreign(self) -> list[str]:
        """What is in the folder and no part of a run."""
        if not os.path.lexists(self.folder):
            return []
        found = [] if self.folder.is_dir() else [self.folder.name]
        return found + [
            path.name for path in self.folder.glob("*") if path.name not in _PARTS and not path.match(f".{_RUN}.*.tmp")
        ]

    def remove(self) -> None:
        """Delete the working folder: the run is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_finished(self, identity: dict[str, Any]) -> None:
        """Delete what is left of a run that was killed when its result was already in its place.

        A folder of another run stays: with ``overwrite`` one may have been begun that is to replace the result.
        """
        path = self.folder / _RUN
        others = bool(changes(self._begun(path), identity)) if path.is_file() else bool(self._foreign())
        if not others:
            self.remove()


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


def history_of(trainer: Any) -> list[dict[str, Any]]:
    """What a trainer has logged, keys in one order: those that come from a checkpoint are sorted, others are not."""
    return [dict(sorted(entry.items())) for entry in trainer.state.log_history]


def is_finished(
    out: Path,
    identity: dict[str, Any],
    overwrite: bool,
    differ: Callable[[Any, dict[str, Any]], list[str]] = changes,
    *,
    makes: str = "recommender",
) -> bool:
    """Whether a folder already holds what a run would make.

    Args:
        out: Folder of the recommender.
        identity: Of the run.
        overwrite: What is there may be replaced, so nothing is ever finished.
        differ: Names what differs between the identity that was saved and this one.
        makes: What the run makes, a key of :data:`genrec.artifacts.kinds.KINDS`.

    Raises:
        ArtifactError: The folder holds something else, or the result of other inputs.
    """
    require_kind(out, makes)
    if overwrite or not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / MANIFEST).is_file():
        raise ArtifactError(
            "The output folder already exists and is not a recommender.",
            where=out,
            hint=PERMISSION,
        )
    changed = differ(read_manifest(out, MANIFEST, "recommender").get("run"), identity)
    if changed:
        raise ArtifactError(
            "The output folder holds a recommender trained with other inputs.",
            where=out,
            expected="the same settings and data; different: " + "; ".join(changed[:5]),
            hint=PERMISSION,
        )
    TrainingFolder(out).remove_finished(identity)
    logger.info("%s is already trained with these settings; nothing to do.", out)
    return True
