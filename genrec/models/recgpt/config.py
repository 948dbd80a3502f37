"""Settings of :class:`~genrec.models.recgpt.network.RecGPT`, and which of them go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from genrec.errors import ModelError
from genrec.models.config import CodeModelConfig, Share, Some
from genrec.models.recgpt.attention import check_pairing
from genrec.quantizers import build_quantizer
from genrec.quantizers.fsq import FSQSettings


class RecGPTConfig(CodeModelConfig):
    """Configuration of :class:`~genrec.models.recgpt.network.RecGPT`.

    Attributes:
        slots: Levels that are predicted; what follows them only tells colliding items apart. None: all.
        attention: See :data:`genrec.models.recgpt.attention.Attention`.
        head: See :data:`genrec.models.recgpt.attention.Head`.
        auxiliary: Read the unquantized vectors beside the codes.
        steps: Steps of the scalars of a code (``levels`` of the FSQ), so that codes enter by their steps; None: one
            free row per code.
        scores: ``vectors``: codes are scored by their vectors in the catalogue, see
            :mod:`genrec.models.recgpt.code_vectors`; ``rows``: by free rows, as published.
        parts: What the vector of a code is, see :data:`genrec.models.recgpt.code_vectors.Parts`.
        loss: ``items``: over the items of the catalogue; ``slots``: over the codes of every slot, as published.
        pooling: Heads of :class:`~genrec.models.recgpt.parts.TextPooling`, 0: none.
        shrinkage: Of the :class:`~genrec.encoders.whitening.Whitening` of a catalogue's vectors.
        vector_dim: Dimension of the item vectors; 0: there are none.
    """

    model_type = "genrec-recgpt"

    slots: Some | None = None
    attention: str = "block-causal"
    head: str = "parallel"
    auxiliary: bool = True
    steps: list[int] | None = None
    scores: str = "vectors"
    parts: str = "additive"
    loss: str = "items"
    pooling: Annotated[int, Field(ge=0, le=1024)] = 4
    shrinkage: Share = 0.3


def settings_for(quantizer: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the configuration that follow from the ``quantizer`` part of a recipe."""
    settings = build_quantizer(quantizer).settings
    slots = len(build_quantizer(quantizer).codebook_sizes)
    if not isinstance(settings, FSQSettings):
        return {"slots": slots}
    return {"slots": slots, "steps": list(settings.levels)}


def check(config: RecGPTConfig) -> None:
    """Refuse settings that do not go together.

    Raises:
        ModelError: Says which ones and why.
    """
    check_pairing(config.attention, config.head)
    text = bool(config.vector_dim)
    problems = {
        "scores": config.scores == "vectors" and not text and "Codes can only be scored by vectors where there are any",
        "pooling": config.pooling
        and (not text or config.scores != "vectors")
        and "Text pooling scores codes by vectors",
        "auxiliary": config.head == "autoregressive"
        and text
        and (config.auxiliary or config.pooling)
        and "The vector of an item is not known while its codes are generated one by one",
        "loss": config.loss == "items" and config.head == "autoregressive" and "Item scores need a parallel head",
    }
    for name, problem in problems.items():
        if problem:
            raise ModelError(
                f"{problem}.",
                where=f"model.options.{name}",
                hint="See genrec.models.recgpt.config.RecGPTConfig for what goes with what.",
            )
