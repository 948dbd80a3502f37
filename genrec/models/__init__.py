"""Networks over code tokens, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.errors import ArtifactError, unknown_name
from genrec.models.base import CodeModel, CodeModelConfig, CodeModelOutput
from genrec.models.decoder import CodeDecoder, CodeDecoderConfig
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig
from genrec.models.llm.base import LanguageBase, LanguageConfig
from genrec.models.llm.item_head import ItemHeadModel, ItemHeadModelConfig
from genrec.models.llm.language_model import LanguageModel, LanguageModelConfig
from genrec.models.llm.text_encoder import TextEncoderModel, TextEncoderModelConfig
from genrec.models.recgpt.config import RecGPTConfig
from genrec.models.recgpt.network import RecGPT
from genrec.models.seq2seq import CodeSeq2Seq, CodeSeq2SeqConfig

ARCHITECTURES: dict[str, tuple[type[CodeModel], type[CodeModelConfig]]] = {
    "item-decoder": (ItemDecoder, ItemDecoderConfig),
    "decoder": (CodeDecoder, CodeDecoderConfig),
    "seq2seq": (CodeSeq2Seq, CodeSeq2SeqConfig),
    "recgpt": (RecGPT, RecGPTConfig),
}

LANGUAGE_ARCHITECTURES: dict[str, tuple[type[LanguageBase], type[LanguageConfig]]] = {
    "language-model": (LanguageModel, LanguageModelConfig),
    "text-encoder": (TextEncoderModel, TextEncoderModelConfig),
    "item-head": (ItemHeadModel, ItemHeadModelConfig),
}
"""Networks around a pretrained language model; :mod:`genrec.training.language` builds them."""


def build_model(architecture: str, codebook_sizes: Sequence[int], **settings: Any) -> CodeModel:
    """A model with random weights.

    Args:
        architecture: A key of :data:`ARCHITECTURES`.
        codebook_sizes: Number of codes of every level of the semantic IDs.
        settings: Fields of :class:`CodeModelConfig`.

    Raises:
        ConfigError: Unknown architecture or setting.
        ModelError: transformers refuses the backbone.
    """
    if architecture not in ARCHITECTURES:
        raise unknown_name("architecture", architecture, [*ARCHITECTURES, *LANGUAGE_ARCHITECTURES])
    model_class, config_class = ARCHITECTURES[architecture]
    known = {name for cls in config_class.__mro__ if issubclass(cls, CodeModelConfig) for name in cls.__annotations__}
    for name in settings:
        if name not in known:
            raise unknown_name("setting", name, known, where=f"model ({architecture})")
    return model_class(config_class(codebook_sizes=[int(size) for size in codebook_sizes], **settings))


def load_model(folder: Path | str, *, checkpoint: str | None = None) -> CodeModel:
    """A model saved by ``save_pretrained``, whatever its architecture.

    Args:
        folder: The model.
        checkpoint: Where the base of an adapter is now, if it has moved.

    Raises:
        ArtifactError: The folder holds no model of genrec.
    """
    import json

    path = Path(folder) / "config.json"
    if not path.is_file():
        raise ArtifactError("No model here.", where=folder, expected="a folder with config.json")
    kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    for model_class, config_class in ARCHITECTURES.values():
        if config_class.model_type == kind:
            return model_class.from_pretrained(folder)
    for language_class, language_config in LANGUAGE_ARCHITECTURES.values():
        if language_config.model_type == kind:
            return language_class.from_pretrained(folder, checkpoint=checkpoint)
    raise ArtifactError(f"The model type '{kind}' is not one of genrec's.", where=path)


__all__ = [
    "ARCHITECTURES",
    "LANGUAGE_ARCHITECTURES",
    "CodeModel",
    "CodeModelConfig",
    "CodeModelOutput",
    "LanguageBase",
    "build_model",
    "load_model",
]
