"""Recipes of item tokenizers: which encoder, quantizer and disambiguation turn items into semantic IDs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from genrec.assets import find_asset
from genrec.config import Seed, Settings, apply_overrides, override_value, parse, read_yaml

_SUFFIX = ".yaml"


class TokenizerRecipe(Settings):
    """Settings of one item tokenizer; the YAML files of ``tokenizers/`` hold these keys.

    The three parts are plain mappings with a ``name``; each is checked by the method that it names.
    """

    name: str = Field("custom", description="how reports call it; the file's name when it was read from a file")
    description: str = Field("", description="what it is for, in a sentence")
    text: dict[str, Any] | None = Field(
        None, description="text template handed to the encoder(s) that read text and have no own; None: their default"
    )
    encoder: dict[str, Any] = Field({"name": "lsa"}, description="item encoder: items to vectors")
    quantizer: dict[str, Any] = Field({"name": "rq-kmeans"}, description="quantizer: vectors to codes")
    disambiguation: dict[str, Any] = Field({"name": "suffix"}, description="rule that makes paths unique")
    sizes: Literal["fixed", "catalogue"] = Field(
        "fixed",
        description="catalogue: levels and codebook_size that quantizer leaves out are chosen by the number of items",
    )
    seed: Seed = Field(0, description="seed of everything that draws random numbers")

    def encoder_settings(self) -> dict[str, Any]:
        """The encoder's settings with the recipe's text template in every part that reads text and has no own."""
        return dict(self.encoder) if self.text is None else _with_text(self.encoder, self.text)


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> TokenizerRecipe:
    """Read a shipped recipe by name, or a YAML file of the user, and change single settings.

    Args:
        name_or_path: Such as ``rq-kmeans-3x256``, or a path that ends in ``.yaml``.
        overrides: ``key.sub=value`` strings. Changing the ``name`` of a part drops the settings of the old one:
            ``encoder.name=sentence encoder.model=minilm`` swaps the encoder.

    Raises:
        ConfigError: No such recipe (the nearest is named), or a wrong setting.

    Example:
        >>> load_recipe("rq-kmeans-3x256", ["quantizer.levels=4"]).quantizer["levels"]
        4
    """
    path = find_asset("tokenizers", str(name_or_path), _SUFFIX, "tokenizer")
    overrides = list(overrides)
    content = read_yaml(path)
    for override in overrides:
        _forget_replaced(content, override)
    content = {"name": path.name.removesuffix(_SUFFIX), **content}
    return parse(TokenizerRecipe, apply_overrides(content, overrides), where=path)


def _forget_replaced(content: dict[str, Any], override: str) -> None:
    """Empty the part whose method an override replaces by another, so that no setting of the old one is left."""
    key, _, value = override.partition("=")
    *parents, last = key.split(".")
    node: Any = content
    for part in parents:
        if isinstance(node, list):
            node = node[int(part)] if part.isdigit() and int(part) < len(node) else None
        else:
            node = node.get(part) if isinstance(node, dict) else None
    if parents and last == "name" and isinstance(node, dict) and node.get("name") != override_value(value, override):
        node.clear()


def _with_text(encoder: Mapping[str, Any], text: dict[str, Any]) -> dict[str, Any]:
    from genrec.encoders import ENCODERS

    result = dict(encoder)
    if isinstance(result.get("encoders"), list | tuple):
        result["encoders"] = [_with_text(part, text) for part in result["encoders"]]
    if isinstance(result.get("encoder"), Mapping):
        result["encoder"] = _with_text(result["encoder"], text)
    cls = ENCODERS.get(str(result.get("name")))
    if cls is not None and "text" in cls.settings_type.model_fields:
        result.setdefault("text", text)
    return result
