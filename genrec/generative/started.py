"""Training that starts from a trained recommender: its network goes on, on the same index."""

from __future__ import annotations

import hashlib
import logging
from functools import reduce
from pathlib import Path
from typing import Any

from genrec.artifacts import read_manifest
from genrec.config import differences, parse, read_yaml
from genrec.decoding.options import DecodingOptions, PriorSettings
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.semantic_index import SemanticIndex
from genrec.models import CodeModel
from genrec.prompts.reader import with_saved_templates
from genrec.recommender import MANIFEST

logger = logging.getLogger(__name__)


def starts_from_recommender(config: TrainConfig) -> bool:
    """Whether ``config.init`` is a trained recommender, not a pretrained one without a catalogue.

    Raises:
        ArtifactError: It is no recommender.
    """
    if config.init is None or not (Path(config.init) / MANIFEST).is_file():
        return False  # a finished run needs its start no more
    return bool(read_manifest(Path(config.init), MANIFEST, "recommender").get("kind") == "generative")


def started(config: TrainConfig) -> TrainConfig:
    """Settings of a run with what the recommender that it starts from decides: network, prompts, decoding.

    What is learned (the objective, its rewards, the trainer) is never taken from there. Settings of another kind of
    start stay as they are.

    Raises:
        ConfigError: The settings describe another network.
        ArtifactError: ``config.init`` is no recommender.
    """
    if not starts_from_recommender(config):
        return config
    folder = Path(str(config.init))
    own = parse(TrainConfig, read_yaml(folder / "config.yaml"), where=folder / "config.yaml")
    moved = {"checkpoint": config.model.checkpoint} if config.model.checkpoint else {}  # where its base is now
    model = own.model.model_copy(update=moved)
    other = {f"model.{name}" for name in differences(config.model, model)}
    kind = {"model.architecture"} if _given(config, "model.architecture") else set()
    for name in sorted(other & (config.asked | kind)):
        raise ConfigError(
            f"The recommender that training starts from has another {name}.",
            where=name,
            expected=str(reduce(getattr, name.split("."), own)),
            hint="Leave it out, or take a preset for this network.",
        )
    if named := sorted(name for name in other if _given(config, name)):
        logger.warning("Taken from '%s', not from the preset: %s.", config.init, ", ".join(named))
    changed: dict[str, Any] = {"model": model, "generation": _decoding(config.generation, own.generation)}
    kept = (folder / "prompts").is_dir()
    changed["tasks"] = with_saved_templates(own.tasks, folder / "prompts") if kept else own.tasks
    for name in ("prompts", "split", "drop_consecutive_repeats"):
        if name not in config.model_fields_set:
            changed[name] = getattr(own, name)
    return config.model_copy(update=changed)


def _given(config: TrainConfig, name: str) -> bool:
    """Whether a setting was given, by the caller or by a preset; not where it is a default."""
    *parts, last = name.split(".")
    owner: Any = config
    for part in parts:
        if part not in owner.model_fields_set:
            return False
        owner = getattr(owner, part)
    return last in owner.model_fields_set


def _decoding(wanted: DecodingOptions, own: DecodingOptions) -> DecodingOptions:
    """What is asked for, else as the start decodes; what probabilities are over follows from what is learned."""
    options = own.model_dump(exclude={"normalize", "prior"}) | wanted.model_dump(include=wanted.model_fields_set)
    if own.normalize == "children":  # it knows nothing of other codes
        options = {"normalize": "children"} | options
    if own.prior is not None and "prior" not in wanted.model_fields_set:
        options["prior"] = PriorSettings(name=own.prior.name).model_dump(exclude_unset=True)  # fitted anew
    return parse(DecodingOptions, options, where="generation")


def start_digest(config: TrainConfig) -> str | None:
    """What tells one start from another: a digest of its manifest, which names the digests of its files."""
    if not starts_from_recommender(config):
        return None
    return hashlib.sha256((Path(str(config.init)) / MANIFEST).read_bytes()).hexdigest()[:16]


def started_network(config: TrainConfig, index: SemanticIndex) -> CodeModel:
    """The network of the recommender ``config.init``, to be trained on.

    Raises:
        ArtifactError: It was trained on another index.
    """
    checkpoint = config.model.checkpoint
    folder = checkpoint if checkpoint is not None and Path(checkpoint).is_dir() else None
    model = GenerativeRecommender.from_pretrained(str(config.init), index=index, checkpoint=folder).model
    model.stays_ready = False
    model.end_decoding()
    model.train_on()
    return model.train()
