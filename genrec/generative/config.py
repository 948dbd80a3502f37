"""Settings of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from genrec.assets import find_asset
from genrec.config import Settings, apply_overrides, parse, read_yaml
from genrec.data.split import SplitSettings
from genrec.decoding.options import DecodingOptions
from genrec.prompts.settings import PromptSettings, TaskSettings


class LanguageModelSettings(Settings):
    """How a pretrained language model is loaded and tuned; see :mod:`genrec.models.llm.source` and ``tuning``.

    ``code_rows`` says what the rows of the code tokens start from: the quantizer's codebooks, the mean of the titles
    that carry a code, or chance. ``lora`` holds fields of peft's ``LoraConfig``.
    """

    revision: str | None = None
    random_weights: bool = False
    trust_remote_code: bool = False
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    quantize: Literal["4bit"] | None = None
    attention: Literal["sdpa", "eager"] = "sdpa"
    tuning: Literal["lora", "full", "embeddings-only"] = "lora"
    lora: dict[str, Any] = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
    code_rows: Literal["codebooks", "titles", "random"] = "codebooks"
    train_code_rows: bool = True
    keep_layers: int | None = Field(None, ge=1)
    every_layer: int | None = Field(None, ge=1)


class ModelSettings(Settings):
    """The network; see :class:`genrec.models.CodeModelConfig` for the fields it shares.

    ``init_from_codebooks`` starts the code tables from the quantizer's codebooks; ``item_vectors`` lets an item-decoder
    read the items' unquantized vectors beside their codes. ``trie_masked_loss`` trains with a softmax over the codes
    that are legal after the right prefix. ``checkpoint`` and ``llm`` are for architectures around a language model.
    ``options`` are further fields of the configuration of the architecture, such as those of
    :class:`genrec.models.recgpt.config.RecGPTConfig`.
    """

    architecture: str = "item-decoder"
    checkpoint: str | None = None
    llm: LanguageModelSettings = LanguageModelSettings()
    trie_masked_loss: bool = False
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
    (history, next item) pair; the only choice for encoder-decoders. ``drop`` leaves items out at random, see
    :class:`genrec.models.history_batches.HistoryExamples`.
    """

    mode: Literal["whole", "prefixes"] = "whole"
    drop: float = Field(0.0, ge=0, lt=1)
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
    starts from (see :mod:`genrec.generative.pretrained`). Language models learn a mixture of ``tasks``; the first that
    names the next item's codes is the one that they recommend with. ``start_share`` is the share of the weights at
    the start in what is kept of a network that recommends by its texts before it is trained
    (:class:`genrec.training.start.StartingPoint`); 0: the best epoch as it is.
    """

    split: SplitSettings = SplitSettings()
    drop_consecutive_repeats: bool = True
    init: str | None = None
    model: ModelSettings = ModelSettings()
    examples: ExampleSettings = ExampleSettings()
    tasks: tuple[TaskSettings, ...] = (TaskSettings(),)
    prompts: PromptSettings = PromptSettings()
    validation: ValidationSettings = ValidationSettings()
    generation: DecodingOptions = DecodingOptions()
    start_share: float = Field(0.5, ge=0, le=0.9)
    trainer: dict[str, Any] = {}
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        # A model that never saw illegal codes says nothing about them, so they must not take part in a score.
        if self.model.trie_masked_loss and "normalize" not in self.generation.model_fields_set:
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
    return parse(TrainConfig, apply_overrides(read_yaml(path), overrides), where=path.name)
