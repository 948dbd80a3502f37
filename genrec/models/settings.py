"""Settings of networks and of what they learn from; read without torch."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from genrec.config import Settings
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

    ``init_from_codebooks`` starts the code tables from the quantizer's codebooks; ``item_vectors`` has a network read
    the items' unquantized vectors beside their codes. ``trie_masked_loss`` trains with a softmax over the codes that
    are legal after the right prefix. ``checkpoint`` and ``llm`` are for architectures around a language model.
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


PORTABLE = ModelSettings(architecture="recgpt", item_vectors=True)
"""A network that fits any catalogue, for pretraining where nothing else is said."""


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


class RunSettings(Protocol):
    """What networks read of the settings of a run, :class:`genrec.generative.config.TrainConfig`."""

    @property
    def model(self) -> ModelSettings:
        """The network."""

    @property
    def examples(self) -> ExampleSettings:
        """What one training example is."""

    @property
    def tasks(self) -> tuple[TaskSettings, ...]:
        """What is learned as text."""

    @property
    def prompts(self) -> PromptSettings:
        """How it is rendered."""

    @property
    def epochs(self) -> float:
        """Length of the training."""

    @property
    def seed(self) -> int:
        """Of weights and order."""
