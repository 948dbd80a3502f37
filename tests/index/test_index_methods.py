"""Indexes of every quantizer: order of the items, saving, growing, catalogues that are hard to tell apart."""

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.index.recipe import TokenizerRecipe
from genrec.index.report import render_report
from genrec.index.semantic_index import SemanticIndex
from genrec.quantizers import QUANTIZERS

NETWORK = {"hidden": [8], "epochs": 2}
SMALL = {
    "atomic": {},
    "category-path": {"levels": 2, "codebook_size": 16},
    "concat": {
        "parts": [
            {"quantizer": {"name": "rq-kmeans", "levels": 1, "codebook_size": 8}},
            {
                "quantizer": {"name": "rq-kmeans", "levels": 1, "codebook_size": 8},
                "encoder": {"name": "cooccurrence", "dim": 4},
            },
        ]
    },
    "fsq": {"slots": 2, "levels": [4, 4], **NETWORK},
    "hierarchical-kmeans": {"levels": 3, "codebook_size": 8},
    "parallel-vq": {"slots": 2, "codebook_size": 8, "latent_dim": 4, "warmup": 1, "last_level": "uniform", **NETWORK},
    "product": {"slots": 2, "codebook_size": 8, "rounds": 2, "last_level": "uniform"},
    "random": {"levels": 2, "codebook_size": 16},
    "residual-fsq": {"levels": 2, "steps": [4, 4], **NETWORK},
    "rq-kmeans": {"levels": 2, "codebook_size": 16, "last_level": "uniform"},
    "rq-vae": {"levels": 2, "codebook_size": 8, "latent_dim": 4, "warmup": 1, "alignment": 0.1, **NETWORK},
    "sequential": {"levels": 2},
    "spectral": {"levels": 1, "codebook_size": 8},
}
NAMES = sorted(SMALL)


def recipe_of(name, **changes):
    parts = {"encoder": {"name": "lsa", "dim": 8}, "quantizer": {"name": name, **SMALL[name]}}
    return TokenizerRecipe(
        **{"name": "test", "disambiguation": {"name": "suffix", "when": "needed"}, **parts, **changes}
    )


def make_catalog(n=96, first=0):
    colours, things = ["red", "blue", "green", "black"], ["cup", "tea pot", "lamp", "chair", "soap"]
    rows = range(first, first + n)
    return Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": [f"id{n:04d}" for n in rows],
                "title": [f"{colours[n % 4]} {things[n % 5]} no {n % 37}" for n in rows],
                "categories": [["shop", things[n % 5], colours[n % 4]] for n in rows],
            }
        )
    )


def make_train(n_items, seed=0):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([rng.integers(0, n_items, 6).tolist() for _ in range(80)])


@pytest.fixture(scope="module")
def indexes():
    catalog = make_catalog()
    return {name: SemanticIndex.build(catalog, recipe_of(name), train=make_train(96)) for name in NAMES}


def test_all_are_tested():
    assert sorted(QUANTIZERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_item_is_reachable_and_shuffling_changes_nothing(name, indexes):
    index = indexes[name]
    assert (index.trie.find(index.codes) == np.arange(96)).all()
    order = np.random.default_rng(1).permutation(96)
    train = make_train(96)
    back = np.argsort(order).astype(np.int32)
    moved = Histories(train.user_ids, train.offsets, back[train.items], None)
    again = SemanticIndex.build(make_catalog().select(order), recipe_of(name), train=moved)
    assert (again.codes == index.codes[order]).all()
    stats = index.stats()
    depth = index.quantizer_levels - index.tokenizer.quantizer.numbering
    assert stats.moved_items == int((index.nearest_codes[:, :depth] != index.codes[:, :depth]).any(axis=1).sum())
    assert stats.collision_rate <= stats.nearest_collision_rate + 1e-12
    assert "collision rate before disambiguation" in render_report(index, stats)


@pytest.mark.parametrize("name", NAMES)
def test_saved_indexes_grow_like_the_original(name, indexes, tmp_path):
    index = indexes[name]
    index.save(tmp_path / "index")
    again = SemanticIndex.load(tmp_path / "index")
    assert again.codebook_sizes == index.codebook_sizes
    assert again.stats() == index.stats()
    first, second = make_catalog(20, first=500), make_catalog(20, first=520)
    parts = again.encode_new(first).encode_new(second)
    assert (parts.codes[:96] == index.codes).all()
    assert len(np.unique(parts.codes, axis=0)) == 136
    assert (parts.encode_new(make_catalog(3, first=900)).codes[:136] == parts.codes).all()
    once = index.encode_new(first.concat(second))
    if name in ("atomic", "sequential", "fsq", "random", "category-path", "spectral"):
        depth = index.quantizer_levels  # methods without nearest free codes agree to the last code
        assert (parts.codes[:, :depth] == once.codes[:, :depth]).all()
    else:
        nearest = parts.tokenizer.nearest_codes(parts.catalog, parts.vectors())
        assert (once.tokenizer.nearest_codes(once.catalog, once.vectors()) == nearest).all()


@pytest.mark.parametrize("rule", ["suffix", "uniform", "nearest-free"])
@pytest.mark.parametrize("titles", [["cup"], ["cup"] * 16, [""] * 16], ids=["one", "same", "empty"])
def test_items_that_cannot_be_told_apart_get_paths_of_their_own(rule, titles, tmp_path):
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n}" for n in range(len(titles))], "title": titles}))
    quantizer = {"name": "rq-kmeans", "levels": 2, "codebook_size": 16}
    index = SemanticIndex.build(catalog, recipe_of("rq-kmeans", quantizer=quantizer, disambiguation={"name": rule}))
    assert len(np.unique(index.codes, axis=0)) == len(titles)
    stats = index.stats()
    assert stats.collision_rate == stats.nearest_collision_rate == pytest.approx(1 - 1 / len(titles))
    assert stats.moved_items == (0 if rule == "suffix" else len(titles) - 1)
    index.save(tmp_path / "index")
    assert f"before disambiguation: {stats.collision_rate:.2%}" in (tmp_path / "index" / "README.md").read_text()


def test_uniform_last_codes_leave_no_collisions_and_need_no_suffix():
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n}" for n in range(40)], "title": ["cup", "lamp"] * 20}))
    index = SemanticIndex.build(
        catalog, recipe_of("rq-kmeans", quantizer={**SMALL["rq-kmeans"], "name": "rq-kmeans", "codebook_size": 20})
    )
    stats = index.stats()
    assert index.codebook_sizes == (20, 20)
    assert stats.collision_rate == 0
    assert stats.nearest_collision_rate == pytest.approx(0.95)
    assert stats.moved_items == 38
    assert stats.reconstruction_error >= stats.nearest_reconstruction_error
    with pytest.raises(DataError, match="All 400 code paths are full"):
        index.encode_new(
            Catalog.from_frame(pl.DataFrame({"item_id": [f"n{n}" for n in range(361)], "title": ["cup"] * 361}))
        )
