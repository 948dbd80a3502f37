"""Settings of networks and of what they learn from; read without torch."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from genrec.config import LARGEST_WIDTH, Settings
from genrec.prompts.settings import PromptSettings, TaskSettings

HistoryAttention = Literal["full", "item-causal"]
"""What an encoder sees from an item of a history: everything, or the item itself and what stands before it."""


class LanguageModelSettings(Settings):
    """How a pretrained language model is loaded and tuned; see :mod:`genrec.models.llm.source` and ``tuning``.

    ``code_rows`` says what the rows of the code tokens start from: the quantizer's codebooks, the mean of the titles
    that carry a code, words that are frequent in them (TS-Rec, https://arxiv.org/abs/2602.22632), or chance. ``lora``
    holds fields of peft's ``LoraConfig``.
    """

    revision: str | None = Field(None, description="version of the checkpoint on the hub: a branch, tag or commit")
    random_weights: bool = Field(False, description="start from random weights of the same architecture, as a control")
    trust_remote_code: bool = Field(False, description="not read: only who runs a command can say --trust-remote-code")
    dtype: Literal["fastest", "float32", "bfloat16", "float16", "auto"] = Field(
        "fastest",
        description="number format of the frozen weights; fastest: bfloat16 for large frozen decoders where the "
        "processor multiplies it, else float32",
    )
    quantize: Literal["4bit"] | None = Field(None, description="4bit: load with bitsandbytes, on a GPU")
    attention: Literal["sdpa", "eager"] = Field("sdpa", description="implementation of attention in transformers")
    tuning: Literal["lora", "full", "embeddings-only"] = Field(
        "lora", description="what is trained beside code rows: LoRA matrices, everything, or nothing"
    )
    lora: dict[str, Any] = Field(
        {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"},
        description="fields of peft's LoraConfig",
    )
    code_rows: Literal["codebooks", "titles", "keywords", "random"] = Field(
        "codebooks",
        description="what rows of code tokens start from: codebooks, mean of the titles that carry a code, frequent "
        "words of these titles, or chance",
    )
    fit_code_rows: int = Field(
        500,
        ge=0,
        description="training examples that are read before the first step, so that the output starts with a fit to "
        "what the network says and not with chance; 0: code rows stay as they start",
    )
    train_code_rows: bool = Field(True, description="train the rows of the code tokens")
    keep_layers: int | None = Field(None, ge=1, description="keep only the first so many layers")
    every_layer: int | None = Field(None, ge=1, description="keep every so-manieth layer")


class ModelSettings(Settings):
    """The network; see :class:`genrec.models.CodeModelConfig` for the fields it shares.

    ``init_from_codebooks`` starts the code tables from the quantizer's codebooks; ``item_vectors`` has a network read
    the items' unquantized vectors beside their codes. ``trie_masked_loss`` trains with a softmax over the codes that
    are legal after the right prefix. ``checkpoint`` and ``llm`` are for architectures around a language model.
    ``options`` are further fields of the configuration of the architecture, such as those of
    :class:`genrec.models.recgpt.config.RecGPTConfig`.
    """

    architecture: str = Field("item-decoder", description="which network, by its name")
    checkpoint: str | None = Field(None, description="folder or hub id of the pretrained language model")
    llm: LanguageModelSettings = Field(LanguageModelSettings(), description="how that model is loaded and tuned")
    trie_masked_loss: bool = Field(
        False, description="softmax over the codes that are legal after the right prefix only"
    )
    backbone: dict[str, Any] = Field({}, description="configuration of the transformers backbone")
    depth_backbone: dict[str, Any] | None = Field(
        None, description="what differs in the small decoder over one item's codes"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="after embeddings and every block")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target's probability that goes to all codes"
    )
    max_items: int = Field(20, ge=1, le=LARGEST_WIDTH, description="longest history that is read, in items")
    init_from_codebooks: bool = Field(False, description="start the code tables from the quantizer's codebooks")
    item_vectors: bool = Field(False, description="read the items' unquantized vectors beside their codes")
    options: dict[str, Any] = Field({}, description="further fields of the configuration of the architecture")


PORTABLE = ModelSettings(architecture="recgpt", item_vectors=True)
"""A network that fits any catalogue, for pretraining where nothing else is said."""


class ExampleSettings(Settings):
    """What one training example is.

    ``whole``: a window of a user's history with a loss at every item, one pass per user. ``prefixes``: one example per
    (history, next item) pair; the only choice for encoder-decoders that look ahead inside a history. ``drop`` leaves
    items out at random, see :class:`genrec.models.history_batches.HistoryExamples`.
    """

    mode: Literal["whole", "prefixes"] = Field(
        "whole", description="whole: a window with a loss at every item; prefixes: one example a next item"
    )
    drop: float = Field(0.0, ge=0, lt=1, description="share of items left out of a history at random")
    bucket_pool: int = Field(50, ge=1, description="batches whose examples are sorted by length together")
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


def _names(group: str, settings: type[Settings]) -> frozenset[str]:
    return frozenset(f"{group}.{name}" for name in settings.model_fields)


OF_LANGUAGE_MODELS = (
    frozenset({"model.checkpoint", "tasks"})
    | _names("model.llm", LanguageModelSettings)
    | _names("prompts", PromptSettings)
)
"""Settings, by dotted name, that say how a language model is loaded, tuned and asked."""

OF_NETWORKS = (
    _names("model", ModelSettings) | _names("examples", ExampleSettings) | OF_LANGUAGE_MODELS | {"start_share"}
) - {"model.architecture", "model.llm", "model.options"}
"""Settings of a run, by dotted name, that some networks read and others do not."""

READ_BY_MOST = OF_NETWORKS - OF_LANGUAGE_MODELS - {"model.depth_backbone", "examples.candidates", "start_share"}
"""What a network over codes reads where it does not say anything else."""
