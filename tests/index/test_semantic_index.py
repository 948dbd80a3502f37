import json
import os
import pickle
import shutil

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from genrec.artifacts import write_manifest
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.index.additions import new_items_of
from genrec.index.item_tokenizer import ItemTokenizer
from genrec.index.recipe import TokenizerRecipe, load_recipe
from genrec.index.report import compute_stats, level_stats, render_report, show_item, show_prefix
from genrec.index.semantic_index import SemanticIndex

KMEANS = {"name": "rq-kmeans", "levels": 2, "codebook_size": 8, "iterations": 5}
FSQ = {"name": "fsq", "slots": 2, "levels": [4, 4], "hidden": [8], "epochs": 2}
VAE = {"name": "rq-vae", "levels": 2, "codebook_size": 8, "latent_dim": 4, "hidden": [8], "epochs": 2, "warmup": 1}
RANDOM = {"name": "random", "levels": 2, "codebook_size": 16}


def recipe_of(quantizer=KMEANS, **changes):
    return TokenizerRecipe(**{"name": "test", "encoder": {"name": "lsa", "dim": 16}, "quantizer": quantizer, **changes})


def make_catalog(n=120, first=0):
    colours, things = ["red", "blue", "green", "black"], ["cup", "tea pot", "lamp", "chair", "soap"]
    rows = range(first, first + n)
    return Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": [f"id{n:04d}" for n in rows],
                "title": [f"{colours[n % 4]} {things[n % 5]} no {n % 37}" for n in rows],
                "tags": [[colours[n % 4], things[n % 5]] for n in rows],
                "price": [float(n % 11) for n in rows],
            }
        )
    )


def make_train(catalog, seed=0):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([rng.integers(0, len(catalog), 6).tolist() for _ in range(80)])


@pytest.fixture(scope="module")
def catalog():
    return make_catalog()


@pytest.fixture(scope="module")
def index(catalog):
    return SemanticIndex.build(catalog, recipe_of(), train=make_train(catalog))


def codes_by_id(index):
    return dict(zip(index.item_ids.tolist(), map(tuple, index.codes.tolist()), strict=True))


def test_every_item_has_a_path_of_its_own_and_is_reachable(index):
    """Promise 2."""
    assert index.codes.shape == (120, 3)
    assert index.codes.dtype == np.int32
    assert len(set(map(tuple, index.codes.tolist()))) == 120
    assert (index.trie.find(index.codes) == np.arange(120)).all()
    assert sorted(index.trie.items_under([]).tolist()) == list(range(120))
    stats = index.stats()
    assert stats.collision_rate > 0
    assert index.quantizer_levels == 2
    assert [None if book is None else book.shape for book in index.codebooks] == [(8, 16), (8, 16), None]


@pytest.mark.parametrize("quantizer", [KMEANS, FSQ, VAE, RANDOM], ids=lambda q: q["name"])
def test_shuffled_items_get_the_same_codes(catalog, quantizer):
    order = np.random.default_rng(1).permutation(len(catalog))
    train = make_train(catalog)
    back = np.argsort(order).astype(np.int32)
    shuffled_train = Histories(train.user_ids, train.offsets, back[train.items], None)
    first = SemanticIndex.build(catalog, recipe_of(quantizer), train=train)
    second = SemanticIndex.build(catalog.select(order), recipe_of(quantizer), train=shuffled_train)
    assert codes_by_id(first) == codes_by_id(second)
    assert first.fingerprint != second.fingerprint  # positions differ


def test_shuffled_items_get_the_same_codes_from_fused_vectors(catalog):
    recipe = recipe_of(
        encoder={"name": "fused", "encoders": [{"name": "lsa", "dim": 8}, {"name": "cooccurrence", "dim": 4}]}
    )
    order = np.random.default_rng(2).permutation(len(catalog))
    train = make_train(catalog)
    back = np.argsort(order).astype(np.int32)
    shuffled_train = Histories(train.user_ids, train.offsets, back[train.items], None)
    first = SemanticIndex.build(catalog, recipe, train=train)
    second = SemanticIndex.build(catalog.select(order), recipe, train=shuffled_train)
    assert codes_by_id(first) == codes_by_id(second)


@pytest.mark.parametrize("quantizer", [KMEANS, FSQ, VAE, RANDOM], ids=lambda q: q["name"])
def test_two_builds_write_the_same_bytes(catalog, quantizer, tmp_path):
    """Promise 4."""
    for name in ("a", "b"):
        SemanticIndex.build(catalog, recipe_of(quantizer), train=make_train(catalog)).save(tmp_path / name)
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()} == files
    assert set(files) == {
        "index.json", "codes.safetensors", "quantizer.safetensors", "vectors.safetensors", "items.parquet",
        "encoder.json", "README.md",
    }  # fmt: skip


def test_another_seed_gives_another_index(catalog):
    first, second = (SemanticIndex.build(catalog, recipe_of(), seed=seed) for seed in (0, 1))
    assert first.fingerprint != second.fingerprint
    assert second.recipe.seed == 1


@pytest.mark.parametrize("quantizer", [KMEANS, FSQ, VAE, RANDOM], ids=lambda q: q["name"])
def test_saved_and_loaded_is_the_same(catalog, quantizer, tmp_path):
    index = SemanticIndex.build(catalog, recipe_of(quantizer))
    index.save_pretrained(tmp_path / "index")
    again = SemanticIndex.from_pretrained(tmp_path / "index")
    assert (again.codes == index.codes).all()
    assert again.item_ids.tolist() == index.item_ids.tolist()
    assert again.catalog.frame.equals(index.catalog.frame)
    assert (again.vectors() == index.vectors()).all()
    assert again.recipe == index.recipe
    assert again.codebook_sizes == index.codebook_sizes
    assert (again.fingerprint, again.lineage) == (index.fingerprint, index.lineage)
    assert again.stats() == index.stats()
    new = make_catalog(30, first=500)
    assert (again.encode_new(new).codes == index.encode_new(new).codes).all()
    again.save(tmp_path / "copy")
    for path in (tmp_path / "index").iterdir():
        assert (tmp_path / "copy" / path.name).read_bytes() == path.read_bytes()


def priced(*prices, first=0):
    frame = make_catalog(len(prices), first).frame.with_columns(price=pl.Series(prices))
    return Catalog.from_frame(frame)


def test_an_index_knows_the_currency_of_its_items(tmp_path):
    SemanticIndex.build(priced(*[f"{n},99 €" for n in range(20)]), recipe_of()).save(tmp_path / "index")
    again = SemanticIndex.load(tmp_path / "index")
    assert again.catalog.currencies == {"price": "EUR"}
    grown = again.encode_new(priced("5,00 €", first=500))
    assert grown.catalog.frame["price"][-1] == 5.0
    with pytest.raises(DataError, match=r"'price' of the new items is in \$, and in the catalogue in EUR"):
        again.encode_new(priced("$5.00", first=500))


def test_items_are_added_again_where_amounts_were_text(index):
    before, after = priced("$5.00", "free"), priced("$5.00", "$6.00")
    with pytest.raises(DataError, match="1 item is already in the catalogue with other fields, such as 'id0001'"):
        new_items_of(after, before)
    assert new_items_of(after.select([0]), before)[1] == 1


def test_new_items_never_move_published_ones(index, catalog, tmp_path):
    grown = index.encode_new(make_catalog(60, first=1000)).encode_new(make_catalog(60, first=2000))
    assert len(grown) == 240
    assert (grown.codes[:120] == index.codes).all()
    assert grown.item_ids[:120].tolist() == index.item_ids.tolist()
    assert len(set(map(tuple, grown.codes.tolist()))) == 240
    assert grown.codebook_sizes == index.codebook_sizes
    assert grown.vectors().shape == (240, 16)
    assert grown.lineage[0] == index.fingerprint
    assert grown.lineage[-1] == grown.fingerprint
    assert len(grown.lineage) == 3
    grown.save(tmp_path / "grown")
    again = SemanticIndex.load(tmp_path / "grown")
    assert again.lineage == grown.lineage
    assert (again.trie.find(grown.codes) == np.arange(240)).all()


def test_adding_in_parts_equals_adding_at_once_up_to_suffixes(index):
    parts = index.encode_new(make_catalog(20, first=1000)).encode_new(make_catalog(20, first=1020))
    once = index.encode_new(make_catalog(40, first=1000))
    assert (parts.codes[:, :2] == once.codes[:, :2]).all()


def test_an_item_that_is_already_there_is_refused(index):
    with pytest.raises(DataError, match="already in the catalogue"):
        index.encode_new(make_catalog(3, first=119))


def test_a_full_group_of_new_items_names_the_remedy(catalog):
    index = SemanticIndex.build(catalog, recipe_of(disambiguation={"name": "suffix", "capacity": 40}))
    same = pl.DataFrame({"item_id": [f"n{n}" for n in range(50)], "title": ["red cup"] * 50})
    with pytest.raises(DataError, match=r"larger disambiguation\.capacity"):
        index.encode_new(Catalog.from_frame(same))


def test_popular_items_come_first_in_their_group(catalog):
    train = make_train(catalog)
    index = SemanticIndex.build(catalog, recipe_of(), train=train)
    popularity = np.bincount(train.items, minlength=len(catalog))
    for group in {tuple(path[:2]) for path in index.codes.tolist()}:
        rows = index.trie.items_under(group)
        assert (np.diff(popularity[rows]) <= 0).all()


@pytest.mark.parametrize("quantizer", [KMEANS, FSQ, VAE, RANDOM], ids=lambda q: q["name"])
@pytest.mark.parametrize(
    "titles", [["cup"], ["cup", "lamp"], ["cup"] * 40, [""] * 40], ids=["one", "two", "same", "empty"]
)
def test_degenerate_catalogues(quantizer, titles, tmp_path):
    frame = pl.DataFrame({"item_id": [f"i{n}" for n in range(len(titles))], "title": titles})
    index = SemanticIndex.build(Catalog.from_frame(frame), recipe_of(quantizer))
    assert len(set(map(tuple, index.codes.tolist()))) == len(titles)
    index.save(tmp_path / "index")
    assert "Semantic index" in render_report(SemanticIndex.load(tmp_path / "index"))
    assert "codes" in show_item(index, "i0")


def test_an_existing_folder_is_refused_and_can_be_replaced(index, tmp_path):
    index.save(tmp_path / "index")
    before = (tmp_path / "index" / "index.json").read_bytes()
    with pytest.raises(ArtifactError, match="already exists"):
        index.save(tmp_path / "index")
    again = SemanticIndex.load(tmp_path / "index")
    again.save(tmp_path / "index", overwrite=True)  # reads its vectors from the folder that it replaces
    assert (tmp_path / "index" / "index.json").read_bytes() == before


@pytest.mark.parametrize("name", ["codes.safetensors", "items.parquet", "encoder.json"])
def test_damage_is_found(index, tmp_path, name):
    index.save(tmp_path / "index")
    file = tmp_path / "index" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="changed or damaged"):
        SemanticIndex.load(tmp_path / "index")
    file.unlink()
    with pytest.raises(ArtifactError, match="missing"):
        SemanticIndex.load(tmp_path / "index")


def test_a_folder_that_is_no_index(tmp_path):
    with pytest.raises(ArtifactError, match="not a genrec index"):
        SemanticIndex.load(tmp_path)


def test_vectors_are_those_that_were_loaded_when_the_folder_goes_away_or_grows(index, tmp_path):
    index.save(tmp_path / "index")
    gone, old = SemanticIndex.load(tmp_path / "index"), SemanticIndex.load(tmp_path / "index")
    grown = SemanticIndex.load(tmp_path / "index").encode_new(make_catalog(9, first=900))
    grown.save(tmp_path / "index", overwrite=True)
    np.testing.assert_array_equal(old.vectors(), index.vectors())
    shutil.rmtree(tmp_path / "index")
    np.testing.assert_array_equal(gone.vectors(), index.vectors())
    assert pickle.loads(pickle.dumps(gone)).fingerprint == index.fingerprint


def test_vectors_that_were_changed_in_place_are_refused(index, tmp_path):
    index.save(tmp_path / "index")
    again, file = SemanticIndex.load(tmp_path / "index"), tmp_path / "index" / "vectors.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    with file.open("r+b") as stream:
        stream.write(content)
    os.utime(file, ns=(1, 1))  # a coarse clock may not have moved
    with pytest.raises(ArtifactError, match="changed since it was loaded"):
        again.vectors()
    file.write_bytes(bytes(content[:-400]))
    with pytest.raises(ArtifactError, match="changed since it was loaded"):
        again.vectors()


def test_two_that_grow_one_folder_cannot_lose_each_others_items(index, tmp_path):
    index.save(tmp_path / "index")
    first, second = SemanticIndex.load(tmp_path / "index"), SemanticIndex.load(tmp_path / "index")
    grown = first.encode_new(make_catalog(5, first=900))
    grown.save(tmp_path / "index", overwrite=True)
    with pytest.raises(ArtifactError, match="has changed since it was loaded"):
        second.encode_new(make_catalog(5, first=950)).save(tmp_path / "index", overwrite=True)
    grown.encode_new(make_catalog(5, first=950)).save(tmp_path / "index", overwrite=True)
    assert len(SemanticIndex.load(tmp_path / "index")) == len(index) + 10
    index.save(tmp_path / "other")
    second.encode_new(make_catalog(5, first=950)).save(tmp_path / "other", overwrite=True)  # another folder: as asked


def test_the_vectors_of_an_index_have_a_fingerprint_that_grows_with_it(index):
    grown = index.encode_new(make_catalog(5, first=900))
    assert grown.vectors_fingerprint(len(index)) == index.vectors_fingerprint()
    assert grown.vectors_fingerprint() != index.vectors_fingerprint()


@pytest.mark.parametrize("part", ["codes", "vectors", "items"])
def test_parts_of_different_sizes_are_refused(index, tmp_path, part):
    index.save(tmp_path / "index")
    folder = tmp_path / "index"
    if part == "items":
        pl.read_parquet(folder / "items.parquet")[:-1].write_parquet(folder / "items.parquet")
    else:
        arrays = load_file(folder / f"{part}.safetensors")
        save_file({part: arrays[part][:-1].copy()}, folder / f"{part}.safetensors")
    write_manifest(folder, "index.json", json.loads((folder / "index.json").read_text()))
    with pytest.raises(ArtifactError, match="do not belong together"):
        SemanticIndex.load(folder)


def test_level_stats_by_hand():
    stats = level_stats(np.array([0, 0, 0, 1, 1, 3]), 4)
    assert (stats.used, stats.utilisation, stats.largest) == (3, 0.75, 0.5)
    assert stats.perplexity == pytest.approx(np.exp(-(0.5 * np.log(0.5) + np.log(1 / 3) / 3 + np.log(1 / 6) / 6)))
    pairs = sum(abs(a - b) for a in (3, 2, 0, 1) for b in (3, 2, 0, 1))
    assert stats.gini == pytest.approx(pairs / (2 * 4 * 6))
    assert level_stats(np.arange(8), 8).gini == pytest.approx(0)
    assert level_stats(np.arange(8), 8).perplexity == pytest.approx(8)


def test_stats_equal_brute_force(index):
    stats = compute_stats(index)
    paths = list(map(tuple, index.codes[:, :2].tolist()))
    assert stats.collision_rate == pytest.approx(1 - len(set(paths)) / 120)
    assert stats.colliding_items == pytest.approx(sum(paths.count(p) > 1 for p in paths) / 120)
    assert stats.largest_bucket == max(map(paths.count, paths))
    centred = index.vectors() - index.vectors().mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = units @ units.T
    for depth, value in ((0, stats.similarity_random), (1, stats.similarity_first), (2, stats.similarity_second)):
        share = (index.codes[:, None, :depth] == index.codes[None, :, :depth]).all(axis=2) & ~np.eye(120, dtype=bool)
        weights = share / np.maximum(share.sum(axis=1, keepdims=True), 1)
        assert value == pytest.approx(float((weights * cosines).sum() / share.any(axis=1).sum()), abs=0.03)
    assert stats.similarity_random < stats.similarity_first < stats.similarity_second
    again = index.tokenizer.quantizer.reconstruct(index.codes[:, :2])
    lost = ((index.vectors() - again) ** 2).sum() / (centred**2).sum()
    assert stats.reconstruction_error == pytest.approx(float(lost), rel=1e-4)
    row = json.loads(json.dumps(stats.to_dict()))
    assert row["min_utilisation"] == 1.0
    assert len(row["levels"]) == 3


def test_the_report_reads_well(index):
    page = render_report(index, examples=3)
    assert page.startswith("# Semantic index of 120 items, tokenizer test")
    assert "have codes of their own before disambiguation" in page
    assert "| 3 | disambiguation |" in page
    assert page.count(" items): ") == 6
    assert any(colour in page for colour in ("red cup", "blue lamp", "green chair", "black soap"))


def test_show_item_and_prefix(index):
    page = show_item(index, "id0007")
    assert f"`{' '.join(map(str, index.codes[7].tolist()))}`" in page
    assert "- price: 7.0" in page
    prefix = index.codes[7, :1].tolist()
    below = show_prefix(index, prefix)
    assert below.startswith(f"# {len(index.trie.items_under(prefix))} items under `{prefix[0]}`")
    assert "## Next codes" in below
    with pytest.raises(DataError, match="Did you mean 'id0077'"):
        show_item(index, "id00077")
    with pytest.raises(DataError, match="No item has the codes 999"):
        show_prefix(index, [999])


def test_shipped_recipes_build(catalog):
    from genrec.assets import asset_names
    from genrec.disambiguation import build_disambiguation
    from genrec.encoders import build_encoder
    from genrec.quantizers import build_quantizer

    names = asset_names("tokenizers", ".yaml")
    assert {"rq-kmeans-3x256", "rq-kmeans-4x256", "rq-vae-3x256", "fsq-recgpt", "random-3x256"} <= set(names)
    for name in names:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.description
        build_encoder(recipe.encoder_settings())
        build_quantizer(recipe.quantizer)
        build_disambiguation(recipe.disambiguation)
    assert SemanticIndex.build(catalog, "rq-kmeans-3x256").codebook_sizes == (256, 256, 256)


def test_recipe_overrides():
    recipe = load_recipe("rq-kmeans-3x256", ["encoder.name=sentence", "encoder.model=minilm", "quantizer.levels=4"])
    assert recipe.encoder == {"name": "sentence", "model": "minilm"}
    assert recipe.quantizer["levels"] == 4
    assert recipe.quantizer["codebook_size"] == 256
    fused = load_recipe("rq-kmeans-3x256-fused", ["encoder.encoders.0.name=sentence"])
    assert fused.encoder["encoders"][0] == {"name": "sentence"}
    assert fused.encoder["encoders"][1]["name"] == "cooccurrence"
    same = load_recipe("rq-kmeans-3x256", ["quantizer.name=rq-kmeans"])
    assert same.quantizer["levels"] == 3


def test_recipe_text_goes_to_every_encoder_that_reads_text():
    text = {"name": "item-text", "fields": ["title"]}
    own = {"name": "lsa", "text": {"name": "item-values"}}
    fused = {"name": "fused", "encoders": [{"name": "lsa"}, own, {"name": "cooccurrence"}]}
    settings = TokenizerRecipe(text=text, encoder=fused).encoder_settings()
    assert settings["encoders"] == [{"name": "lsa", "text": text}, own, {"name": "cooccurrence"}]
    assert TokenizerRecipe().encoder_settings() == {"name": "lsa"}


def test_wrong_recipes_are_refused_before_any_work(catalog, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'rq-kmeans-3x256'"):
        SemanticIndex.build(catalog, "rq-kmeans-3x25")
    with pytest.raises(ConfigError, match="Did you mean 'quantizer'"):
        load_recipe("rq-kmeans-3x256", ["quantiser.levels=3"])
    for part in ("encoder", "quantizer", "disambiguation"):
        with pytest.raises(ConfigError):
            SemanticIndex.build(catalog, recipe_of(**{part: {"name": "nonsense"}}))


def test_a_tokenizer_that_was_read_is_written_with_the_same_bytes(tiny_index, tmp_path):
    """A pretraining run that went on after a kill reads the tokenizer that it had fitted."""
    tiny_index.tokenizer.save(tmp_path / "first")
    ItemTokenizer.load(tmp_path / "first").save(tmp_path / "second")
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
