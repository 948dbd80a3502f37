"""Whatever the items are, equal ones and empty texts included: shuffling, saving and loading change no code."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.catalog import Catalog
from genrec.index.recipe import TokenizerRecipe
from genrec.index.semantic_index import SemanticIndex

QUANTIZERS = {
    "rq-kmeans": {"name": "rq-kmeans", "levels": 2, "codebook_size": 16, "iterations": 3, "backend": "scikit-learn"},
    "balanced": {"name": "rq-kmeans", "levels": 2, "codebook_size": 16, "iterations": 3, "balanced": True},
    "fsq": {"name": "fsq", "slots": 2, "levels": [4, 4], "hidden": [8], "epochs": 1},
    "residual-fsq": {"name": "residual-fsq", "levels": 2, "steps": [4, 4], "epochs": 1},
    "rq-vae": {"name": "rq-vae", "levels": 2, "codebook_size": 16, "latent_dim": 2, "hidden": [4], "epochs": 1},
    "product": {"name": "product", "slots": 2, "codebook_size": 8},
    "hierarchical-kmeans": {"name": "hierarchical-kmeans", "levels": 2, "codebook_size": 8},
    "random": {"name": "random", "levels": 2, "codebook_size": 16},
}
TITLES = st.lists(
    st.lists(st.sampled_from(["red", "blue", "cup", "lamp", "tea", "42"]), max_size=3).map(" ".join),
    min_size=1,
    max_size=12,
)
"""Few words, so that many items are equal and some have no text at all."""


def build(name, titles, order, rule):
    ids = [f"i{n:02d}" for n in range(len(titles))]
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ids, "title": titles})).select(np.asarray(order))
    recipe = TokenizerRecipe(
        name="test",
        encoder={"name": "lsa", "dim": 4},
        quantizer=QUANTIZERS[name],
        disambiguation={"name": rule},
    )
    return SemanticIndex.build(catalog, recipe)


def by_id(index):
    return dict(zip(index.item_ids.tolist(), map(tuple, index.codes.tolist()), strict=True))


@pytest.mark.parametrize("name", sorted(QUANTIZERS))
@given(titles=TITLES, data=st.data())
@settings(max_examples=6, deadline=None)
def test_shuffling_saving_and_loading_change_no_code(name, titles, data):
    rule = data.draw(st.sampled_from(["suffix", "nearest-free", "uniform"] if name == "rq-kmeans" else ["suffix"]))
    order = data.draw(st.permutations(range(len(titles))))
    index = build(name, titles, range(len(titles)), rule)
    codes = by_id(index)
    assert len(set(codes.values())) == len(titles)
    assert by_id(build(name, titles, order, rule)) == codes
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        again = SemanticIndex.load(Path(folder) / "index")
        assert by_id(again) == codes
        assert (again.trie.find(again.codes) == np.arange(len(titles))).all()
        new = Catalog.from_frame(pl.DataFrame({"item_id": ["new"], "title": titles[:1]}))
        grown = again.encode_new(new)
        assert {key: path for key, path in by_id(grown).items() if key != "new"} == codes
        assert by_id(grown) == by_id(index.encode_new(new))
