"""Objectives: what training makes smaller, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genrec.config import parse
from genrec.errors import ConfigError, unknown_name
from genrec.registry import Registry

if TYPE_CHECKING:
    from genrec.training.objectives.base import Objective

__all__ = ["OBJECTIVES", "build_objective", "check_objective"]

OBJECTIVES: Registry[type[Objective]] = Registry(
    "genrec.objectives", package="genrec.training.objectives", decorator="objective"
)
"""Objectives by the name that ``objective.name`` has in settings."""


def check_objective(content: Mapping[str, Any]) -> str:
    """The name of the objective that settings ask for; nothing is imported.

    Raises:
        ConfigError: There is no name, or an unknown one; names the nearest.
    """
    name = content.get("name")
    if not isinstance(name, str):
        raise ConfigError(
            "The objective has no name.", where="objective.name", expected="one of " + ", ".join(OBJECTIVES)
        )
    if name not in OBJECTIVES:
        raise unknown_name("objective", name, OBJECTIVES, where="objective.name")
    return name


def build_objective(content: Mapping[str, Any]) -> Objective:
    """An objective from the ``objective`` part of a training configuration.

    Args:
        content: ``{"name": ..., **settings of that objective}``.

    Raises:
        ConfigError: No name, an unknown one, or a wrong setting.
    """
    name = check_objective(content)
    cls = OBJECTIVES[name]
    settings = {key: value for key, value in content.items() if key != "name"}
    return cls(parse(cls.Config, settings, where=f"objective '{name}'"))
