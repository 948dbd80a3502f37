"""Rules that make every item's code path unique, so that items which collide in the quantizer all stay reachable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec.disambiguation.base import Disambiguation, QuantizedItems
from genrec.disambiguation.nearest_free import NearestFree
from genrec.disambiguation.suffix import Suffix
from genrec.disambiguation.uniform import Uniform
from genrec.errors import ConfigError, unknown_name
from genrec.registry import Registry

RULES: Registry[type[Disambiguation]] = Registry(
    "genrec.disambiguation",
    package="genrec.disambiguation",
    decorator="RULES.add",
    classes=(Suffix, Uniform, NearestFree),
)
"""Rules by name; a new one is one file with ``@RULES.add("its-name")``, or an entry point of a package."""

__all__ = ["RULES", "Disambiguation", "NearestFree", "QuantizedItems", "Suffix", "Uniform", "build_disambiguation"]


def build_disambiguation(content: Mapping[str, Any]) -> Disambiguation:
    """A rule from the ``disambiguation`` part of a recipe.

    Args:
        content: ``{"name": "suffix", **settings}``.

    Raises:
        ConfigError: No name, an unknown name (the nearest known one is suggested), or a wrong setting.
    """
    name = content.get("name")
    if name is None:
        raise ConfigError(
            "The disambiguation has no name.", where="disambiguation.name", expected="one of " + ", ".join(RULES)
        )
    if name not in RULES:
        raise unknown_name("disambiguation", str(name), RULES, where="disambiguation.name")
    return RULES[name].from_settings({k: v for k, v in content.items() if k != "name"})
