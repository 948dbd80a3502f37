"""What can be said against the settings of a run before a network is there, or anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

from genrec.artifacts import mend, read_manifest
from genrec.generative.config import TrainConfig
from genrec.models.registry import check_network, find_network
from genrec.prompts.task import load_task
from genrec.recommender import MANIFEST
from genrec.training.objectives import build_objective, check_objective
from genrec.training.transforms import build_transform


def check_settings(config: TrainConfig, *, starts: bool = True) -> None:
    """Refuse names that do not exist: of the network, the objective, the tasks, the pretrained recommender.

    Args:
        config: Settings of the run.
        starts: Whether training starts from the pretrained recommender; a finished run needs it no more.

    Raises:
        ConfigError: A name is unknown; names the nearest.
        ArtifactError: ``config.init`` is no recommender.
    """
    check_network(config.model.architecture)
    check_objective(config.objective)
    for task in config.tasks:
        load_task(task.prompt)
    if starts and config.init is not None:
        mend(config.init)
        if not (Path(config.init) / MANIFEST).is_file():
            read_manifest(Path(config.init), MANIFEST, "recommender")


def check_parts(config: TrainConfig) -> None:
    """Refuse wrong settings of the objective, the transforms and the network, and a language model that is missing.

    Classes of these parts are imported for it, which a run needs anyway; no table, index or weight is read.

    Raises:
        ConfigError: A setting is wrong or missing.
        ModelError: The language model is not there.
    """
    build_objective(config.objective)
    for content in config.transforms:
        build_transform(content).check()
    network = find_network(config.model.architecture)
    network.check_settings(config.model)
    if config.init is None:  # else the weights come from there, and need not be where they once were
        network.start_fingerprint(config.model)
