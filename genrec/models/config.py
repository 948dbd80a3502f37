"""The configuration that all networks over code tokens share, and what values its fields may have."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, create_model
from transformers import PreTrainedConfig

from genrec.config import Settings, Width, parse
from genrec.errors import ConfigError, unknown_name

Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Scale = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Chance = Annotated[float, Field(ge=0, lt=1)]
"""A probability that is never certain, such as that of dropout."""


class _Exact(Settings):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


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
    derived = frozenset({"codebook_sizes", "vector_dim"})
    """Fields that follow from index and settings, so that nobody sets them in ``model.options``."""

    codebook_sizes: list[int] | None = None
    backbone: dict[str, Any] | None = None
    depth_backbone: dict[str, Any] | None = None
    dropout: Chance = 0.1
    label_smoothing: Chance = 0.0
    max_items: Width = 20
    vector_dim: Count = 0

    @classmethod
    def known_fields(cls) -> set[str]:
        """Names of the settings of the network, those of transformers' own configurations left out."""
        return {name for one in cls.__mro__ if issubclass(one, CodeModelConfig) for name in one.__annotations__}

    @classmethod
    def check(cls, values: Mapping[str, Any], where: str) -> None:
        """Refuse fields that do not exist and values that they cannot have.

        Args:
            values: By name of the field.
            where: For the message.

        Raises:
            ConfigError: Names the first.
        """
        for name in values:
            if name not in cls.known_fields():
                raise unknown_name("setting", name, cls.known_fields(), where=where)
        parse(_checker(cls), values, where=where)  # type: ignore[arg-type]  # mypy: classes have no hash

    @classmethod
    def check_options(cls, options: Mapping[str, Any], architecture: str) -> None:
        """Refuse further settings of a network that it does not have, that are wrong, or that are not to be set.

        Args:
            options: ``model.options`` of the settings.
            architecture: Name of the network.

        Raises:
            ConfigError: Names the first.
        """
        cls.check(options, f"model.options ({architecture})")
        for name in sorted(cls.derived & options.keys()):
            raise ConfigError(
                f"'{name}' follows from the index or from other settings.",
                where=f"model.options.{name}",
                hint="Leave it out.",
            )


@functools.cache
def _checker(cls: type[CodeModelConfig]) -> type[Settings]:
    """Settings with the types of all fields, none of which must be given."""
    fields: dict[str, Any] = {}
    for one in reversed(cls.__mro__):
        if issubclass(one, CodeModelConfig):
            fields |= {name: (kind, None) for name, kind in inspect.get_annotations(one, eval_str=True).items()}
    made: type[Settings] = create_model(cls.__name__, __base__=_Exact, **fields)
    return made
