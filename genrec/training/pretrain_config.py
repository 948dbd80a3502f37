"""Settings of pretraining on many catalogues."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr

from genrec.assets import asset_dir, find_asset
from genrec.config import LARGEST_WIDTH, Seed, Settings, apply_overrides, differences, parse, read_yaml
from genrec.data.naming import ColumnNames
from genrec.data.split import SplitSettings
from genrec.decoding.options import DecodingOptions
from genrec.generative.config import ExampleSettings, ModelSettings, TrainConfig, ValidationSettings
from genrec.generative.trainer_settings import TrainerSettings
from genrec.models.settings import PORTABLE


class DomainSettings(Settings):
    """One catalogue and what its users did."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="how reports and files call it")
    items: Path = Field(description="table of items")
    interactions: Path = Field(description="table with user_id, item_id, timestamp")
    columns: ColumnNames = Field(ColumnNames(), description="names of its columns, where they are not the usual ones")


class PackingSettings(Settings):
    """What a training row is; see :mod:`genrec.training.packing`."""

    row_items: int = Field(64, ge=2, le=LARGEST_WIDTH, description="items of a row, of several users")
    novel: bool = Field(True, description="items that the user already had are no targets")
    candidates: int = Field(4096, ge=1, description="items of the catalogue that a target is told apart from")
    temperature: float = Field(
        0.5, ge=0, le=1, description="domains come up in proportion to their size to this power; 0: all the same"
    )


class PretrainConfig(Settings):
    """Everything that decides a pretraining run; ``trainer`` holds fields of ``TrainingArguments`` as they are.

    ``validate_generated`` measures recommendations for ``validation.users`` users of every domain after every epoch;
    the best epoch is kept, or the weights at the start where none is better. ``validate_on`` names domains that are not
    learned from, and measures there instead: what is chosen then is the best at catalogues that it has not seen.
    ``prior_shares`` are shares of every domain's users whose transitions are counted when the network is done: what
    that adds to it is saved, and tells few-shot training how far to trust counts; empty: not measured.
    """

    domains: tuple[DomainSettings, ...] = Field((), description="catalogues with their interactions")
    tokenizer: str = Field("fsq-recgpt-minilm", description="recipe of the item tokenizer")
    tokenizer_settings: tuple[str, ...] = Field((), description="key.sub=value changes of the recipe")
    split: SplitSettings = Field(SplitSettings(), description="how interactions are cut")
    drop_consecutive_repeats: bool = Field(True, description="count an item that follows itself once")
    model: ModelSettings = Field(PORTABLE, description="the network")
    examples: PackingSettings = Field(PackingSettings(), description="what one training example is")
    validate_generated: bool = Field(False, description="judge epochs by real recommendations")
    validate_on: tuple[str, ...] = Field((), description="the domains that judge; empty: all")
    validation: ValidationSettings = Field(ValidationSettings(), description="real recommendations after every epoch")
    prior_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.01, 0.03, 0.1, 0.3, 1.0), description="shares of the users whose counts are measured afterwards"
    )
    generation: DecodingOptions = Field(
        DecodingOptions(exact=True, batch_users=256), description="defaults of decoding, saved with the recommender"
    )
    trainer: TrainerSettings = Field({}, description="fields of transformers' TrainingArguments, as they are")
    seed: Seed = Field(0, description="seed of weights, order and dropout")
    _asked: frozenset[str] | None = PrivateAttr(None)

    def __eq__(self, other: object) -> bool:
        # Who set a value is no part of it, as in TrainConfig.
        return isinstance(other, PretrainConfig) and self.__dict__ == other.__dict__

    @property
    def asked(self) -> frozenset[str]:
        """Dotted names of what the caller set to another value than the preset has, or else than the default."""
        return differences(self, PretrainConfig()) if self._asked is None else self._asked

    def train_config(self) -> TrainConfig:
        """The same as settings of one training run, which are saved with the model."""
        return TrainConfig(
            split=self.split,
            drop_consecutive_repeats=self.drop_consecutive_repeats,
            model=self.model,
            examples=ExampleSettings(candidates=self.examples.candidates),
            validation=self.validation,
            generation=self.generation,
            trainer=self.trainer,
            seed=self.seed,
        )


def load_pretrain_config(name: str, overrides: Iterable[str] = ()) -> PretrainConfig:
    """Read a pretraining preset by name, or a YAML file; see :func:`genrec.generative.config.load_train_config`.

    Raises:
        ConfigError: Unknown preset or setting; names the nearest.
    """
    path = find_asset("presets", name, ".yaml", "training preset")
    content = read_yaml(path)
    config = parse(PretrainConfig, apply_overrides(content, overrides), where=path.name)
    preset = path.parent == asset_dir("presets")
    config._asked = differences(config, parse(PretrainConfig, content, where=path.name) if preset else PretrainConfig())
    return config
