"""Transforms: what is done to training histories before anything is learned from them, one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genrec.config import parse
from genrec.errors import ConfigError, unknown_name
from genrec.registry import Registry

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex
    from genrec.training.transforms.base import SequenceTransform

__all__ = ["TRANSFORMS", "build_transform", "transformed"]

TRANSFORMS: Registry[type[SequenceTransform]] = Registry(
    "genrec.transforms", package="genrec.training.transforms", decorator="transform"
)
"""Transforms by the name that an entry of ``transforms`` has in settings."""


def build_transform(content: Mapping[str, Any]) -> SequenceTransform:
    """A transform from an entry of ``transforms`` of a training configuration.

    Args:
        content: ``{"name": ..., **settings of that transform}``.

    Raises:
        ConfigError: No name, an unknown one, or a wrong setting.
    """
    name = content.get("name")
    if not isinstance(name, str):
        raise ConfigError(
            "A transform has no name.", where="transforms", expected=f"name: one of {', '.join(TRANSFORMS)}"
        )
    if name not in TRANSFORMS:
        raise unknown_name("transform", name, TRANSFORMS, where="transforms")
    cls = TRANSFORMS[name]
    settings = {key: value for key, value in content.items() if key != "name"}
    return cls(parse(cls.Config, settings, where=f"transform '{name}'"))


def transformed(
    histories: Histories, index: SemanticIndex, transforms: Sequence[Mapping[str, Any]], seed: int
) -> Histories:
    """Training histories after all transforms, in their order.

    Args:
        histories: The training part only.
        index: Of the catalogue.
        transforms: Entries of ``transforms``.
        seed: Of all draws.
    """
    for made in [build_transform(content) for content in transforms]:
        histories = made(histories, index, seed)
    return histories
