"""The ``README.md`` of a recommender's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec.generative.config import TrainConfig
from genrec.index.semantic_index import SemanticIndex
from genrec.models import CodeModel
from genrec.wording import count


def recommender_card(model: CodeModel, index: SemanticIndex, config: TrainConfig, metrics: Mapping[str, Any]) -> str:
    """The page as Markdown: what it is, what it was measured at, and the lines that load it."""
    best = metrics.get("validation", {})
    figures = "".join(f"| {name} | {value:.4f} |\n" for name, value in best.items())
    table = f"\n| validation (generated) | |\n|---|---|\n{figures}" if figures else ""
    return (
        f"# genrec recommender\n\n"
        f"- network: {config.model.architecture}, {count(model.num_parameters(), 'parameter')}\n"
        f"- index: {count(len(index), 'item')}, codebook sizes {list(index.codebook_sizes)}, "
        f"fingerprint `{index.fingerprint}`\n"
        f"- training histories: {count(metrics.get('train_users', 0), 'user')}\n{table}\n"
        "```python\nfrom genrec import Recommender\n\n"
        'recommender = Recommender.from_pretrained("this folder")\n'
        'recommender.recommend([["an item id", "another"]], k=10).item_ids\n```\n'
    )
