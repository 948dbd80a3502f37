"""The configuration that all networks over code tokens share."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig


class CodeModelConfig(PreTrainedConfig):
    """Configuration of a network over code tokens.

    Attributes:
        codebook_sizes: Number of codes of every level.
        backbone: Keyword arguments of a transformers configuration, ``model_type`` among them.
        depth_backbone: The same for the code decoder of :class:`~genrec.models.item_decoder.ItemDecoder`.
        dropout: Probability, applied to embeddings and to the output of every attention and feed-forward block.
        label_smoothing: Mass taken from the right code and spread over the codes of the level.
        max_items: Longest history (items) that the model reads.
        vector_dim: Dimension of the items' unquantized vectors, where they are read beside the codes; 0: they are not.
    """

    model_type = "genrec-code-model"

    codebook_sizes: list[int] | None = None
    backbone: dict[str, Any] | None = None
    depth_backbone: dict[str, Any] | None = None
    dropout: float = 0.1
    label_smoothing: float = 0.0
    max_items: int = 20
    vector_dim: int = 0

    @classmethod
    def known_fields(cls) -> set[str]:
        """Names of the settings of the network, those of transformers' own configurations left out."""
        return {name for one in cls.__mro__ if issubclass(one, CodeModelConfig) for name in one.__annotations__}
