"""Settings that make no difference to a run, since its network, objective or start does not use them: they are told."""

from __future__ import annotations

import logging

from genrec.config import Settings
from genrec.decoding.options import say_idle
from genrec.generative.config import TrainConfig
from genrec.generative.started import starts_from_recommender
from genrec.models import CodeModel, find_network
from genrec.models.config import CodeModelConfig
from genrec.models.settings import OF_NETWORKS
from genrec.training.objectives import build_objective
from genrec.training.pretrain_config import PretrainConfig

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
    say_idle(_idle_in_decoding(config), asked)


def say_unread_in_pretraining(config: PretrainConfig, learned: int, judges: int) -> None:
    """The same of pretraining: settings that the caller set, and that change nothing there.

    Args:
        config: Settings of the run.
        learned: Catalogues that are learned from.
        judges: Catalogues on which epochs are judged.
    """
    network, asked = find_network(config.model.architecture), config.asked
    read = network.settings_read(config.train_config()) - {"model.init_from_codebooks"}  # tables are of no catalogue
    why = f"pretraining of '{config.model.architecture}' does not read it"
    idle = dict.fromkeys((asked & OF_NETWORKS) - read - _names_of("examples", config), why)
    if "examples.candidates" in asked - read:
        idle["examples.candidates"] = why
    if learned == 1:
        idle["examples.temperature"] = "there is one domain to learn from"
    if not judges:
        judged = "no domain judges: validate_generated is false and validate_on empty"
        idle |= dict.fromkeys(_names_of("validation", config), judged)
    say_idle(_idle_in_decoding(config.train_config()) | idle, asked)


def _names_of(group: str, config: Settings) -> frozenset[str]:
    return frozenset(f"{group}.{name}" for name in type(getattr(config, group)).model_fields)


def _idle_in_decoding(config: TrainConfig) -> dict[str, str]:
    """Settings of decoding and of validation, by dotted name, that change no list, and why."""
    network = find_network(config.model.architecture)
    found = config.generation.idle(searches=network.by_beam or not network.scores_items)
    idle = {f"generation.{name}": why for name, why in found.items()}
    if "beams" in found:
        idle["validation.beams"] = found["beams"]
    return idle


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
