"""The generative recommender: a network over code tokens, a semantic index, and constrained decoding between them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrec.generative.recommender import GenerativeRecommender

__all__ = ["GenerativeRecommender"]


def __getattr__(name: str) -> Any:
    # On demand: settings of a run must not bring torch along.
    if name in __all__:
        return getattr(importlib.import_module("genrec.generative.recommender"), name)
    raise AttributeError(f"module 'genrec.generative' has no attribute {name!r}")
