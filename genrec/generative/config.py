"""Settings of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from genrec.assets import asset_dir, find_asset
from genrec.config import Seed, Settings, apply_overrides, differences, parse, read_yaml
from genrec.data.split import SplitSettings
from genrec.decoding.options import DecodingOptions
from genrec.errors import ConfigError
from genrec.generative.trainer_settings import TrainerSettings
from genrec.models.settings import ExampleSettings, LanguageModelSettings, ModelSettings
from genrec.prompts.settings import PromptSettings, TaskSettings
from genrec.recommender import MANIFEST

DEFAULT_EPOCHS = 20
"""Where ``trainer`` does not say."""

__all__ = [
    "ExampleSettings",
    "LanguageModelSettings",
    "ModelSettings",
    "TrainConfig",
    "ValidationSettings",
    "load_train_config",
]


class ValidationSettings(Settings):
    """Generated validation: real recommendations for a fixed sample of validation users.

    With ``network_alone``, words and counts are added to the best epoch afterwards.
    """

    users: int = Field(2000, ge=1, description="most validation users, a fixed sample")
    k: int = Field(10, ge=1, description="length of their lists; NDCG@k decides")
    beams: int = Field(20, ge=1, description="hypotheses a user")
    patience: int = Field(3, ge=1, description="epochs without a better NDCG before training stops")
    exclude_seen: bool = Field(True, description="never recommend an item of the user's history")
    also: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="further lengths whose recall is told; with it, coverage is, too"
    )
    network_alone: bool = Field(False, description="judge epochs without words and counts")


class TrainConfig(Settings):
    """Everything that decides a training run, besides the index and the interactions.

    ``generation`` holds the defaults of decoding, saved with the recommender; ``trainer`` holds fields of transformers'
    ``TrainingArguments`` as they are; ``init`` is the folder of a pretrained recommender whose network training
    starts from (see :mod:`genrec.generative.pretrained`). ``objective`` names what training makes smaller
    (:mod:`genrec.training.objectives`), with its settings; ``model.trie_masked_loss`` is another way to ask for
    ``trie-masked``. Language models learn a mixture of ``tasks``; the first that
    names the next item's codes is the one that they recommend with. ``start_share`` is the share of the weights at
    the start in what is kept of a network that recommends by its texts before it is trained
    (:class:`genrec.training.start.StartingPoint`); 0: the best epoch as it is.
    """

    split: SplitSettings = Field(SplitSettings(), description="how interactions are cut")
    drop_consecutive_repeats: bool = Field(True, description="count an item that follows itself once")
    init: str | None = Field(None, description="folder of a pretrained recommender to start from")
    model: ModelSettings = Field(ModelSettings(), description="the network")
    examples: ExampleSettings = Field(ExampleSettings(), description="what one training example is")
    transforms: tuple[dict[str, Any], ...] = Field(
        (), description="what is done to training histories before the network learns, by name, with settings"
    )
    objective: dict[str, Any] = Field(
        {"name": "likelihood"}, description="what training minimises, by name, with its settings"
    )
    tasks: tuple[TaskSettings, ...] = Field((TaskSettings(),), description="what language models learn, as a mixture")
    prompts: PromptSettings = Field(PromptSettings(), description="how prompts are rendered")
    validation: ValidationSettings = Field(ValidationSettings(), description="real recommendations after every epoch")
    generation: DecodingOptions = Field(
        DecodingOptions(), description="defaults of decoding, saved with the recommender"
    )
    start_share: float = Field(
        0.5, ge=0, le=0.9, description="share of the weights at the start in what is kept, where texts are pooled"
    )
    min_steps: int = Field(
        0,
        ge=0,
        description="where few rows would give fewer steps, batches get smaller, to 16 rows; 0: never",
    )
    trainer: TrainerSettings = Field({}, description="fields of transformers' TrainingArguments, as they are")
    seed: Seed = Field(0, description="seed of weights, order and dropout")
    _asked: frozenset[str] | None = PrivateAttr(None)

    def __eq__(self, other: object) -> bool:
        # Who set a value is no part of it: a configuration equals the one that is read from its file.
        return isinstance(other, TrainConfig) and self.__dict__ == other.__dict__

    @property
    def asked(self) -> frozenset[str]:
        """Dotted names of what the caller set to another value than the preset has, or else than the default."""
        return differences(self, TrainConfig()) if self._asked is None else self._asked

    @property
    def epochs(self) -> float:
        """Length of the training."""
        return float(self.trainer.get("num_train_epochs", DEFAULT_EPOCHS))

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.model.trie_masked_loss and self.objective == {"name": "likelihood"}:
            object.__setattr__(self, "objective", {"name": "trie-masked"})
        # A model that never saw illegal codes says nothing about them, so they must not take part in a score.
        masked = self.objective.get("name") == "trie-masked"
        if masked and "normalize" not in self.generation.model_fields_set:
            generation = self.generation.model_copy(update={"normalize": "children"})
            object.__setattr__(self, "generation", generation)
        return self


def load_train_config(name: str, overrides: Iterable[str] = ()) -> TrainConfig:
    """Read a training preset.

    Args:
        name: A shipped preset (``genrec/presets``) or a path of a YAML file.
        overrides: ``key.sub=value`` strings.

    Raises:
        ConfigError: Unknown preset or setting; names the nearest.
    """
    path = find_asset("presets", name, ".yaml", "training preset")
    content = read_yaml(path)
    _refuse_code(path, content)
    config = parse(TrainConfig, apply_overrides(content, overrides), where=path.name)
    preset = path.parent == asset_dir("presets")
    config._asked = differences(config, parse(TrainConfig, content, where=path.name) if preset else TrainConfig())
    return config


def _refuse_code(path: Path, content: dict[str, Any]) -> None:
    """Settings inside a saved recommender may not name functions that are to be run: they came with it."""
    rewards = (content.get("objective") or {}).get("rewards") if isinstance(content.get("objective"), dict) else None
    named = any(isinstance(one, dict) and one.get("function") for one in rewards or () if isinstance(rewards, list))
    if named and (path.parent / MANIFEST).is_file():
        raise ConfigError(
            "The settings of a saved recommender name Python code, which is not run.",
            where=f"{path}: objective.rewards",
            expected="a reward function in settings of your own",
            hint="Read that code. If you trust it, copy the settings to a file of yours and name that one.",
        )
