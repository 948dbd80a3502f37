"""Configuration of networks around a pretrained language model."""

from __future__ import annotations

from typing import Any

from genrec.models.config import CodeModelConfig, Count, Some


class LanguageConfig(CodeModelConfig):
    """Configuration of a network around a pretrained language model.

    Attributes:
        source: Fields of :class:`~genrec.models.llm.source.LanguageSource`.
        tuning: See :func:`~genrec.models.llm.tuning.tune`.
        lora: Fields of peft's ``LoraConfig``.
        train_code_rows: Whether LoRA trains the rows of the code tokens too.
        own_output: Whether the output layer is parted from the input table, see
            :func:`~genrec.models.llm.code_rows.part_output`.
        keep_layers: See :func:`~genrec.models.llm.fewer_layers.truncate_layers`.
        every_layer: The same.
        index_fingerprint: Of the semantic index whose codes the model speaks.
        base_fingerprint: Of the checkpoint's weights.
        n_items: Items of the catalogue, for heads that score items.
        max_tokens: Longest prompt that may come; cut to what the model reads when it is built.
    """

    model_type = "genrec-language"
    derived = CodeModelConfig.derived | {
        *("source", "tuning", "lora", "train_code_rows", "own_output", "keep_layers", "every_layer"),
        "max_tokens",
        *("index_fingerprint", "base_fingerprint", "n_items"),
    }

    source: dict[str, Any] | None = None
    tuning: str = "lora"
    lora: dict[str, Any] | None = None
    train_code_rows: bool = True
    own_output: bool = False
    keep_layers: Some | None = None
    every_layer: Some | None = None
    index_fingerprint: str | None = None
    base_fingerprint: str | None = None
    n_items: Count = 0
    max_tokens: Some | None = None
