"""Recommenders with random weights over a catalogue whose texts would like to be obeyed, and an installed browser."""

import shutil

import polars as pl
import pytest
import torch
from support import TINY_BACKBONES

HOSTILE = (
    '</script><script>document.title = "owned"</script>',
    "<img src=x onerror=\"document.title = 'owned'\">",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }} ${7 * 7} <!--head-->",
    "javascript:alert(1)",
    "\u202eesrever\u2066 and \u2028 a line",
    "<!-- </style> --> &lt;b&gt; &amp;",
    "a" * 300,
    "tea 茶 🍵 ☕",
)
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


def hostile_catalog(n_items=60):
    from genrec.data import Catalog

    kinds = ("cup", "tea", "tent", "lamp", "rope", "soap")
    return Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": [f"i{n:03d}" if n != 7 else "<b>'\"&/#?%00" for n in range(n_items)],
                "title": [HOSTILE[n] if n < len(HOSTILE) else f"{kinds[n % 6]} number {n}" for n in range(n_items)],
                "categories": [[kinds[n % 6], "home > </script>" if n % 3 else "outdoor"] for n in range(n_items)],
                "price": [None if n == 3 else n / 2 for n in range(n_items)],
                "brand": [("Acme", "<i>Birch</i>")[n % 2] for n in range(n_items)],
            }
        ),
        html="keep",
    )


def hostile_recommender(seed=0, architecture="item-decoder", index=None):
    """Untrained: what it recommends means nothing, and is the same every time."""
    from genrec.generative.config import TrainConfig
    from genrec.generative.recommender import GenerativeRecommender
    from genrec.index.recipe import load_recipe
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models import build_model

    tokenizer = ["encoder.dim=8", "quantizer.levels=2", "quantizer.codebook_size=6"]
    index = index or SemanticIndex.build(hostile_catalog(), load_recipe("rq-kmeans-3x256", tokenizer))
    torch.manual_seed(seed)
    model = build_model(architecture, index.codebook_sizes, backbone=TINY_BACKBONES[architecture])
    with torch.no_grad():
        model.output_table.weight.mul_(8 if architecture == "seq2seq" else 30)
    config = {"model": {"architecture": architecture}, "generation": {"beams": 20, "words": 1.5}}
    return GenerativeRecommender(model.eval(), index, TrainConfig.model_validate(config))


def need_browser():
    """Skips a test, with the reason, where there is no installed chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium is installed (Debian: apt-get install chromium)")
