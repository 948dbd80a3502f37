"""A language model that gives probabilities of titles, for what asks for one without being a recommender.

Titles share out probability at every token in which they differ, so where they part early little of them is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from genrec.models.llm.code_rows import RowStart
from genrec.models.llm.title_likelihood import TitleLikelihood, TitleLikelihoodConfig

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import LanguageModelSettings

TitleModel: TypeAlias = TitleLikelihood
"""What :func:`title_model` gives."""
_SOURCE = ("revision", "random_weights", "dtype", "quantize", "attention")


def title_model(
    checkpoint: str, settings: LanguageModelSettings, index: SemanticIndex, max_tokens: int | None
) -> TitleModel:
    """The language model of a checkpoint over the titles of a catalogue.

    Args:
        checkpoint: Folder, or id on the hub.
        settings: How it is loaded and tuned.
        index: Of the catalogue.
        max_tokens: Longest prompt.

    Raises:
        ConfigError: The checkpoint cannot be read.
        ModelError: It is no decoder.
    """
    config = TitleLikelihoodConfig(
        codebook_sizes=list(index.codebook_sizes),
        source={"checkpoint": checkpoint, **{name: getattr(settings, name) for name in _SOURCE}},
        tuning=settings.tuning,
        lora=dict(settings.lora),
        train_code_rows=settings.train_code_rows,
        keep_layers=settings.keep_layers,
        every_layer=settings.every_layer,
        n_items=len(index),
        max_tokens=max_tokens,
        renormalize="token",
    )
    return TitleLikelihood.build(config, RowStart())
