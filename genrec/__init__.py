"""genrec: semantic IDs, language-model recommenders, catalogue-constrained decoding.

>>> import genrec
>>> genrec.__version__
'0.1.0'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from genrec.importing import without_collection as _without_collection
from genrec.threads import prepare as _prepare_threads

__version__ = "0.1.0"

_prepare_threads()

_HOMES = {
    "Catalog": "genrec.data.catalog",
    "Interactions": "genrec.data.interactions",
    "SemanticIndex": "genrec.index.semantic_index",
    "Recommender": "genrec.recommender",
    "Recommendations": "genrec.recommender",
    "load": "genrec.loading",
    "push_to_hub": "genrec.sharing.push",
    "train": "genrec.training.train",
}

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.interactions import Interactions
    from genrec.index.semantic_index import SemanticIndex
    from genrec.recommender import Recommendations, Recommender
    from genrec.sharing.push import push_to_hub
    from genrec.training.train import train

__all__ = [
    "Catalog",
    "Interactions",
    "Recommendations",
    "Recommender",
    "SemanticIndex",
    "__version__",
    "load",
    "push_to_hub",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        with _without_collection():
            return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'genrec' has no attribute {name!r}")
