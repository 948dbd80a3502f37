"""Settings that make no difference to a run, since its network, objective or start does not use them: they are told."""

from __future__ import annotations

import logging

from genrec.generative.config import TrainConfig
from genrec.generative.started import starts_from_recommender
from genrec.models import CodeModel, find_network
from genrec.models.config import CodeModelConfig
from genrec.models.settings import OF_NETWORKS
from genrec.training.objectives import build_objective

logger = logging.getLogger(__name__)


def say_unread(config: TrainConfig, asked: frozenset[str]) -> None:
    """Say in a line which settings of the caller make no difference to a run, and what does not read them.

    Args:
        config: Settings of the run.
        asked: Dotted names of what the caller set (:attr:`TrainConfig.asked`), before the start of the run decided.
    """
    network, objective = find_network(config.model.architecture), build_objective(config.objective)
    if objective.same_as is not None and "objective" in asked:
        asked |= {objective.same_as}
    read, start = network.settings_read(config), _decided_by_start(config)
    unread = {
        f"the start '{config.init}' decides": asked & start,
        f"the network '{config.model.architecture}' does not read": (asked & OF_NETWORKS) - start - read,
        f"the objective '{config.objective['name']}' does not use": asked & read & objective.settings_ignored() - start,
    }
    for why, names in unread.items():
        if names:
            listed = ", ".join(_with_own_place(name, network) for name in sorted(names))
            logger.warning("Settings that change nothing, since %s them: %s.", why, listed)


def _decided_by_start(config: TrainConfig) -> frozenset[str]:
    """What cannot be set where training goes on from a recommender, and is not refused there."""
    if config.init is None:
        return frozenset()
    if starts_from_recommender(config):
        return frozenset({"start_share", "tasks"})
    return frozenset({"model.label_smoothing", "model.init_from_codebooks", "model.options"})


def _with_own_place(name: str, network: type[CodeModel]) -> str:
    """The name; with that of an option of the network that means the same, if there is one."""
    last = name.rpartition(".")[2]
    own = last in network.config_class.known_fields() - CodeModelConfig.known_fields() - network.config_class.derived
    return f"{name} (of this network: model.options.{last})" if own else name
