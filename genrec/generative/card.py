"""The ``README.md`` of a recommender's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genrec.generative.config import TrainConfig
from genrec.index.semantic_index import SemanticIndex
from genrec.models import CodeModel
from genrec.pages import card

_TEMPLATE = Path(__file__).parent / "card.md.jinja"


def recommender_card(model: CodeModel, index: SemanticIndex, config: TrainConfig, metrics: Mapping[str, Any]) -> str:
    """The page as Markdown: what it is, what it was measured at, and the lines that load it."""
    context = {
        "architecture": config.model.architecture,
        "parameters": model.num_parameters(),
        "items": len(index),
        "sizes": list(index.codebook_sizes),
        "fingerprint": index.fingerprint,
        "users": metrics.get("train_users", 0),
        "figures": metrics.get("validation", {}),
    }
    return card(_TEMPLATE, context)
