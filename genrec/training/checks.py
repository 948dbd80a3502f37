"""What can be said against the settings of a run before a network is there, or anything heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genrec.artifacts import mend, read_manifest
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.config import TrainConfig
from genrec.models.registry import check_network, find_network
from genrec.prompts.task import load_task
from genrec.recommender import MANIFEST
from genrec.training.objectives import build_objective, check_objective
from genrec.training.transforms import build_transform

if TYPE_CHECKING:
    from genrec.training.objectives.base import Objective

STARTS = ("generative", "foundation")
"""Kinds of recommenders whose network training goes on with."""


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
        kind = read_manifest(Path(config.init), MANIFEST, "recommender").get("kind")
        if kind not in STARTS:
            raise ArtifactError(
                f"Training cannot start from a recommender of the kind '{kind}'.",
                where=config.init,
                expected="a folder of genrec train or genrec pretrain",
            )


def check_start(objective: Objective, config: TrainConfig) -> None:
    """Refuse to go on from nothing: what rewards the network's own recommendations needs some to begin with.

    Raises:
        ConfigError: There is neither a recommender nor a language model to start from.
    """
    if objective.goes_on and config.init is None and config.model.checkpoint is None:
        raise ConfigError(
            f"The objective '{config.objective['name']}' goes on from a trained recommender, and none is given.",
            where="init",
            expected="the folder of a recommender with the same index",
            hint="Train one, then name it: genrec train … --init RECOMMENDER.",
        )


def check_parts(config: TrainConfig) -> None:
    """Refuse wrong settings of the objective, the transforms and the network, and a language model that is missing.

    Classes of these parts are imported for it, which a run needs anyway; no table, index or weight is read.

    Raises:
        ConfigError: A setting is wrong or missing.
        ModelError: The language model is not there.
    """
    check_start(build_objective(config.objective), config)
    for content in config.transforms:
        build_transform(content).check()
    network = find_network(config.model.architecture)
    network.check_settings(config.model)
    if config.init is None:  # else the weights come from there, and need not be where they once were
        network.start_fingerprint(config.model)
