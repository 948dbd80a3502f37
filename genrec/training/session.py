"""A training run as a folder: what it was started with, its checkpoints, and whether it may go on.

``OUT.training`` stands beside the output folder until training is done, so that the same command again continues it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import write_atomic
from genrec.data.histories import Histories
from genrec.errors import ArtifactError
from genrec.training.config import ModelSettings, TrainConfig

_LATER: dict[str, dict[str, Any]] = {
    "": {name: TrainConfig.model_fields[name].default for name in ("tasks", "prompts")},
    "model": {name: ModelSettings.model_fields[name].default for name in ("checkpoint", "llm", "trie_masked_loss")},
}
"""Settings that older runs do not have; at their defaults they change nothing."""


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
    for group, names in _LATER.items():
        owner, given = (settings[group], getattr(config, group)) if group else (settings, config)
        for name, default in names.items():
            if getattr(given, name) == default:
                owner.pop(name)
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
            changed = differences(before, identity)
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


def differences(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Keys at which two nested settings differ, as ``key: old → new``."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{prefix}{key}.")]
    return [] if before == after else [f"{prefix.rstrip('.')}: {before} → {after}"]
