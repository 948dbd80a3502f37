"""Settings of pretraining on many catalogues."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from genrec.assets import find_asset
from genrec.config import Settings, apply_overrides, parse, read_yaml
from genrec.data.split import SplitSettings
from genrec.decoding.options import DecodingOptions
from genrec.generative.config import ExampleSettings, ModelSettings, TrainConfig, ValidationSettings
from genrec.models.settings import PORTABLE


class DomainSettings(Settings):
    """One catalogue and what its users did."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="how reports and files call it")
    items: Path = Field(description="table of items")
    interactions: Path = Field(description="table with user_id, item_id, timestamp")


class PackingSettings(Settings):
    """What a training row is; see :mod:`genrec.training.packing`."""

    row_items: int = Field(64, ge=2, description="items of a row, of several users")
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

    domains: tuple[DomainSettings, ...] = ()
    tokenizer: str = "fsq-recgpt-minilm"
    tokenizer_settings: tuple[str, ...] = ()
    split: SplitSettings = SplitSettings()
    drop_consecutive_repeats: bool = True
    model: ModelSettings = PORTABLE
    examples: PackingSettings = PackingSettings()
    validate_generated: bool = False
    validate_on: tuple[str, ...] = ()
    validation: ValidationSettings = ValidationSettings()
    prior_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    generation: DecodingOptions = DecodingOptions(exact=True, batch_users=256)
    trainer: dict[str, Any] = {}
    seed: int = 0

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
    return parse(PretrainConfig, apply_overrides(read_yaml(path), overrides), where=path.name)
