"""Codes to a semantic index of a whole catalogue: recipes, item tokenizers, and what an index is like."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex

__all__ = ["SemanticIndex"]


def __getattr__(name: str) -> Any:
    # On demand, so that a report of an index does not bring the whole package along.
    if name in __all__:
        return getattr(importlib.import_module("genrec.index.semantic_index"), name)
    raise AttributeError(f"module 'genrec.index' has no attribute {name!r}")
