"""Sizes by the catalogue, and sizes that are refused before any work."""

import numpy as np
import polars as pl
import pytest
from support import ITEM_WORDS

from genrec.data import Catalog
from genrec.disambiguation import build_disambiguation
from genrec.errors import ConfigError
from genrec.index.item_tokenizer import ItemTokenizer
from genrec.index.recipe import load_recipe
from genrec.index.report import overall, reasons
from genrec.index.semantic_index import SemanticIndex
from genrec.index.sizes import MOST_CODES, check_sizes, fitting_sizes, sized
from genrec.quantizers import build_quantizer


@pytest.fixture(scope="module")
def sixty():
    rng = np.random.default_rng(0)
    titles = [" ".join(rng.choice(ITEM_WORDS, 4, replace=False)) for _ in range(60)]
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n}" for n in range(60)], "title": titles}))


def test_sizes_grow_with_the_catalogue_and_have_room_for_it():
    sizes = [fitting_sizes(n) for n in (1, 3, 20, 60, 700, 5000, 65_536, 65_537, 10_000_000)]
    assert sizes == sorted(sizes)
    for n, (levels, size) in zip((1, 3, 20, 60, 700, 5000, 65_536, 65_537, 10_000_000), sizes, strict=True):
        assert size**levels >= 4 * n
    assert fitting_sizes(60) == (3, 16)


def test_auto_makes_a_better_index_of_few_items_and_remembers_its_sizes(sixty, tmp_path):
    usual, fitting = (SemanticIndex.build(sixty, recipe) for recipe in ("rq-kmeans-3x256", "auto"))
    assert overall(usual.stats()).startswith("Not a good index")
    assert reasons(usual.stats())
    assert not overall(fitting.stats()).startswith("Not a good index")
    assert fitting.codebook_sizes[:3] == (16, 16, 16)
    fitting.save(tmp_path / "index")
    loaded = SemanticIndex.load(tmp_path / "index")
    assert (loaded.recipe.name, loaded.recipe.sizes) == ("auto", "fixed")
    assert loaded.recipe.quantizer["codebook_size"] == 16
    assert loaded.codebook_sizes == fitting.codebook_sizes


def test_what_is_set_stays():
    recipe = sized(load_recipe("auto", ["quantizer.levels=5"]), 60)
    assert (recipe.quantizer["levels"], recipe.quantizer["codebook_size"]) == (5, 16)
    fixed = load_recipe("rq-kmeans-3x256")
    assert sized(fixed, 60) is fixed


@pytest.mark.parametrize("name", ["rq-vae", "random", "product", "parallel-vq", "hierarchical-kmeans", "spectral"])
def test_every_quantizer_with_codebook_sizes_can_follow_the_catalogue(name):
    recipe = sized(load_recipe("auto", [f"quantizer.name={name}"]), 700)
    assert build_quantizer(recipe.quantizer).codebook_sizes == (64, 64, 64)


def test_a_quantizer_without_them_cannot():
    with pytest.raises(ConfigError, match="no codebook_size"):
        sized(load_recipe("auto", ["quantizer.name=fsq"]), 700)


def refused(quantizer, n, rule="suffix", **settings):
    with pytest.raises(ConfigError) as raised:
        check_sizes(build_quantizer(quantizer), build_disambiguation({"name": rule, **settings}), n)
    assert "recipe 'auto'" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("quantizer", "rule", "settings"),
    [
        ({"name": "rq-kmeans", "levels": 2, "codebook_size": 4}, "uniform", {}),
        ({"name": "rq-kmeans", "levels": 2, "codebook_size": 4}, "nearest-free", {"capacity": 3}),
        ({"name": "rq-kmeans", "levels": 1, "codebook_size": 4}, "suffix", {"capacity": 8}),
        ({"name": "hierarchical-kmeans", "levels": 2, "codebook_size": 4}, "suffix", {}),
        ({"name": "sequential", "levels": 2, "codebook_size": 4}, "suffix", {}),
        ({"name": "atomic", "capacity": 59}, "suffix", {}),
        (
            {"name": "concat", "parts": [{"quantizer": {"name": "atomic", "capacity": 59}}]},
            "suffix",
            {},
        ),
    ],
)
def test_spaces_that_cannot_hold_the_catalogue(quantizer, rule, settings):
    assert "and the catalogue has 60" in refused(quantizer, 60, rule, **settings)


@pytest.mark.parametrize(
    ("quantizer", "n"),
    [
        ({"name": "rq-kmeans", "codebook_size": 100_000}, 60),
        ({"name": "random", "codebook_size": 1 << 30}, 5_000),
        ({"name": "fsq", "slots": 8}, 60),
        ({"name": "concat", "parts": [{"quantizer": {"name": "product", "codebook_size": 40_000}}]}, 2_000),
    ],
)
def test_more_codes_than_a_catalogue_could_use(quantizer, n):
    assert "nearly all would stay unused" in refused(quantizer, n)


def test_shipped_recipes_fit_small_and_large_shops():
    from genrec.assets import asset_names

    for name in asset_names("tokenizers", ".yaml"):
        for n in (10, 1000, 30_000):
            recipe = sized(load_recipe(name), n)
            check_sizes(build_quantizer(recipe.quantizer), build_disambiguation(recipe.disambiguation), n)
            assert sum(build_quantizer(recipe.quantizer).codebook_sizes) <= MOST_CODES


def test_levels_without_end_are_refused_when_settings_are_read():
    for quantizer in ({"name": "rq-kmeans", "levels": 10**9}, {"name": "product", "slots": 65}):
        with pytest.raises(ConfigError, match="64"):
            build_quantizer(quantizer)


def test_nothing_is_encoded_before_sizes_are_refused(sixty, monkeypatch):
    monkeypatch.setattr("genrec.index.item_tokenizer.encode_items", lambda *_, **__: pytest.fail("encoded"))
    with pytest.raises(ConfigError, match="unused"):
        ItemTokenizer.fit(load_recipe("rq-kmeans-3x256", ["quantizer.codebook_size=1000000"]), sixty)
