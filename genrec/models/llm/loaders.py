"""Which class of transformers loads a checkpoint, by its configuration."""

from __future__ import annotations

import inspect
from typing import Any, Literal

from genrec.errors import ModelError

Part = Literal["generation", "states"]
"""``generation``: the model with its output layer. ``states``: what is below it, of an encoder-decoder the encoder."""


def is_causal(config: Any) -> bool:
    """Whether a position sees only what stands before it (decoders), by configuration."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if config.is_encoder_decoder or type(config) in MODEL_FOR_MASKED_LM_MAPPING:
        return False
    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING


def loader_of(config: Any, part: Part, checkpoint: str) -> Any:
    """The class of transformers that loads a checkpoint.

    Args:
        config: Its configuration.
        part: What of it.
        checkpoint: Its name in messages.

    Raises:
        ModelError: It does not generate, or has no encoder by itself.
    """
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForTextEncoding

    if part == "states":
        if config.model_type in ("t5", "mt5", "umt5"):  # with a decoder or, saved by itself, without
            return AutoModelForTextEncoding
        if config.is_encoder_decoder:
            raise ModelError(
                f"The encoder of a '{config.model_type}' cannot be loaded by itself.",
                where=checkpoint,
                expected="a T5, an encoder (BERT, MiniLM …) or a decoder",
                hint="Use architecture: language-model, which takes the whole of it.",
            )
        return AutoModel
    if config.is_encoder_decoder:
        return AutoModelForSeq2SeqLM
    remote = "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    if not is_causal(config) and not remote:
        raise ModelError(
            f"A model of type '{config.model_type}' does not generate.",
            where=checkpoint,
            expected="a decoder (Qwen, Llama, GPT-2 …) or an encoder-decoder (T5, BART …)",
            hint="Use architecture: text-encoder, which puts a code decoder on an encoder.",
        )
    return AutoModelForCausalLM


def has_pooler(config: Any) -> bool:
    """Whether a network comes with a pooling layer that can be left out: nothing here reads it."""
    from transformers import MODEL_MAPPING

    known = MODEL_MAPPING.get(type(config), None)
    kind = known[0] if isinstance(known, tuple | list) else known
    return kind is not None and "add_pooling_layer" in inspect.signature(kind.__init__).parameters
