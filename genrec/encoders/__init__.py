"""Item encoders: how an item becomes a vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec.config import parse
from genrec.encoders.base import ItemEncoder
from genrec.encoders.cooccurrence import CooccurrenceEncoder
from genrec.encoders.fused import FusedEncoder
from genrec.encoders.item2vec import Item2VecEncoder
from genrec.encoders.llm2rec import Llm2RecEncoder
from genrec.encoders.lsa import LsaEncoder
from genrec.encoders.precomputed import PrecomputedEncoder
from genrec.encoders.sentence import SentenceEncoder
from genrec.encoders.text import TextTemplate
from genrec.encoders.whitened import WhitenedEncoder
from genrec.errors import ConfigError, unknown_name
from genrec.registry import Registry

__all__ = [
    "ENCODERS",
    "CooccurrenceEncoder",
    "FusedEncoder",
    "Item2VecEncoder",
    "ItemEncoder",
    "Llm2RecEncoder",
    "LsaEncoder",
    "PrecomputedEncoder",
    "SentenceEncoder",
    "TextTemplate",
    "WhitenedEncoder",
    "build_encoder",
]

ENCODERS: Registry[type[ItemEncoder[Any]]] = Registry(
    "genrec.encoders",
    package="genrec.encoders",
    decorator="ENCODERS.add",
    classes=(
        CooccurrenceEncoder,
        FusedEncoder,
        Item2VecEncoder,
        Llm2RecEncoder,
        LsaEncoder,
        PrecomputedEncoder,
        SentenceEncoder,
        WhitenedEncoder,
    ),
)
"""Item encoders by name; a new one is a file with ``@ENCODERS.add("its-name")``, or an entry point of a package."""


def build_encoder(content: Mapping[str, Any]) -> ItemEncoder[Any]:
    """An item encoder from its name and settings.

    Args:
        content: ``{"name": "lsa", "dim": 128}``; settings that are left out take their defaults.

    Raises:
        ConfigError: The name or a setting is unknown or wrong; names the nearest one.

    >>> build_encoder({"name": "lsa", "dim": 128}).settings.dim
    128
    """
    name = content.get("name")
    if not isinstance(name, str):
        raise ConfigError(
            "The item encoder has no name.", where="encoder", expected=f"name: one of {', '.join(sorted(ENCODERS))}"
        )
    if name not in ENCODERS:
        raise unknown_name("item encoder", name, ENCODERS, where="encoder")
    encoder = ENCODERS[name]
    return encoder(parse(encoder.settings_type, content, where=f"encoder '{name}'"))
