"""Networks over code tokens, by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from genrec.models.registry import NETWORKS, build_model, check_network, find_network, load_model, network

if TYPE_CHECKING:
    from genrec.models.base import CodeModel
    from genrec.models.config import CodeModelConfig
    from genrec.models.outputs import CodeModelOutput

__all__ = [
    "NETWORKS",
    "CodeModel",
    "CodeModelConfig",
    "CodeModelOutput",
    "build_model",
    "check_network",
    "find_network",
    "load_model",
    "network",
]


def __getattr__(name: str) -> Any:
    # On demand: names of networks are known without torch.
    homes = {"CodeModel": "base", "CodeModelConfig": "config", "CodeModelOutput": "outputs"}
    if name in homes:
        return getattr(importlib.import_module(f"genrec.models.{homes[name]}"), name)
    raise AttributeError(f"module 'genrec.models' has no attribute {name!r}")
