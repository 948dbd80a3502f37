"""Settings of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from genrec.assets import find_asset
from genrec.config import Settings, apply_overrides, parse, read_yaml
from genrec.decoding.options import DecodingOptions


class SplitSettings(Settings):
    """How interactions are cut; see :func:`genrec.data.split.make_split`."""

    name: str = "leave-one-out"
    options: dict[str, Any] = {}


class ModelSettings(Settings):
    """The network; see :class:`genrec.models.CodeModelConfig` for the fields it shares.

    ``init_from_codebooks`` starts the code tables from the quantizer's codebooks; ``item_vectors`` lets an item-decoder
    read the items' unquantized vectors beside their codes. ``options`` are further fields of the configuration of the
    architecture, such as those of :class:`genrec.models.recgpt_config.RecGPTConfig`.
    """

    architecture: str = "item-decoder"
    backbone: dict[str, Any] = {}
    depth_backbone: dict[str, Any] | None = None
    dropout: float = Field(0.2, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    max_items: int = Field(20, ge=1)
    init_from_codebooks: bool = False
    item_vectors: bool = False
    options: dict[str, Any] = {}


class ExampleSettings(Settings):
    """What one training example is.

    ``whole``: a window of a user's history with a loss at every item, one pass per user. ``prefixes``: one example per
    (history, next item) pair; the only choice for encoder-decoders.
    """

    mode: Literal["whole", "prefixes"] = "whole"
    bucket_pool: int = Field(50, ge=1)
    candidates: int = Field(
        4096, ge=1, description="items that a target is told apart from, where the loss is over items"
    )


class ValidationSettings(Settings):
    """Generated validation: real recommendations for a fixed sample of validation users."""

    users: int = Field(2000, ge=1)
    k: int = Field(10, ge=1)
    beams: int = Field(20, ge=1)
    patience: int = Field(3, ge=1)
    exclude_seen: bool = True


class TrainConfig(Settings):
    """Everything that decides a training run, besides the index and the interactions.

    ``generation`` holds the defaults of decoding, saved with the recommender; ``trainer`` holds fields of transformers'
    ``TrainingArguments`` as they are; ``init`` is the folder of a pretrained recommender whose network training
    starts from (see :mod:`genrec.foundation`).
    """

    split: SplitSettings = SplitSettings()
    drop_consecutive_repeats: bool = True
    init: str | None = None
    model: ModelSettings = ModelSettings()
    examples: ExampleSettings = ExampleSettings()
    validation: ValidationSettings = ValidationSettings()
    generation: DecodingOptions = DecodingOptions()
    trainer: dict[str, Any] = {}
    seed: int = 0


def load_train_config(name: str, overrides: Iterable[str] = ()) -> TrainConfig:
    """Read a training preset.

    Args:
        name: A shipped preset (``genrec/presets``) or a path of a YAML file.
        overrides: ``key.sub=value`` strings.

    Raises:
        ConfigError: Unknown preset or setting; names the nearest.
    """
    path = find_asset("presets", name, ".yaml", "training preset")
    return parse(TrainConfig, apply_overrides(read_yaml(path), overrides), where=path.name)
