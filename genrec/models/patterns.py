"""Expressions in settings of adapters and quantized models: libraries match them with the name of every layer.

An expression can take for ever. Those that come with a folder are names, or expressions whose time is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from genrec.errors import ArtifactError, GenRecError

_LITERAL = r"(?:[\w./:#@-]|\\[^\w])+"
_LISTED = rf"{_LITERAL}(?:\|{_LITERAL})*"
_NAMES = re.compile(rf"{_LISTED}|\(\?:{_LISTED}\)")
"""Names, alone or as alternatives of one group, as LoRA's own settings have them."""
_SIMPLE = re.compile(
    r"\^?(?:[\w./:#@-]|\\[^\w]|\\[dwsDWS]|\[[\w-]+\]|[*+?](?![*+?])" + rf"|\((?:\?:)?{_LISTED}\)(?![*+?]))+\$?"
)
_MOST_REPEATS, _MOST_GROUPS = 3, 2
_LONGEST = 1_000_000
_AS_EXPRESSIONS = ("target_modules", "exclude_modules", "layers_pattern")
_KEYS = ("rank_pattern", "alpha_pattern")


def is_bounded(text: str) -> bool:
    """Whether matching an expression takes a time that is bounded by a small power of the length of a name.

    >>> [is_bounded(text) for text in ("q_proj", "(?:up|down)_proj", ".*layers.[0-9]+.q_proj$", "(a+)+b")]
    [True, True, True, False]
    """
    if len(text) > _LONGEST:
        return False
    repeats, groups = len(re.findall(r"(?<![\\(])[*+?]", text)), text.count("(")
    few = repeats <= _MOST_REPEATS and groups <= _MOST_GROUPS
    return bool(_NAMES.fullmatch(text)) or (few and bool(_SIMPLE.fullmatch(text)))


def check_adapter_patterns(settings: Mapping[str, Any], where: object, kind: type[GenRecError] = ArtifactError) -> None:
    """Refuse expressions of an adapter's settings that could take for ever.

    Args:
        settings: Fields of peft's configuration.
        where: For the message.
        kind: Of the error.

    Raises:
        GenRecError: Of that kind; names the field.
    """
    for key in _AS_EXPRESSIONS:
        value = settings.get(key)
        texts = [value] if isinstance(value, str) else list(value or ()) if key == "layers_pattern" else []
        _require(texts, key, where, kind)
    for key in _KEYS:
        _require(list(settings.get(key) or ()), key, where, kind)
    _require(list(settings.get("modules_to_save") or ()), "modules_to_save", where, kind)


def check_quantization_patterns(content: Mapping[str, Any], where: object) -> None:
    """Refuse expressions in a model's quantization settings that could take for ever.

    Raises:
        ArtifactError: Names the field.
    """
    for key, value in _leaves(content.get("quantization_config")):
        _require([value.removeprefix("re:")], f"quantization_config.{key}", where, ArtifactError)


def _leaves(value: Any, key: str = "", inside: bool = False) -> list[tuple[str, str]]:
    """Texts of the lists of some settings, each with its field: lists are where libraries look for names of layers."""
    if isinstance(value, Mapping):
        return [leaf for name, part in value.items() for leaf in _leaves(part, f"{key}.{name}".strip("."))]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part, key, inside=True)]
    return [(key, value)] if inside and isinstance(value, str) else []


def _require(texts: list[Any], key: str, where: object, kind: type[GenRecError]) -> None:
    for text in texts:
        if not isinstance(text, str) or not is_bounded(text):
            raise kind(
                f"'{key}' holds an expression that could take for ever to match: {str(text)[:80]!r}.",
                where=where,
                expected="names of layers, or an expression with at most three of * + ?, none behind a group",
            )
