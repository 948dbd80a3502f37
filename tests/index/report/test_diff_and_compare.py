import json

import polars as pl
import pytest
from support import make_tables

from genrec.data import Catalog, Interactions, leave_one_out
from genrec.errors import ConfigError
from genrec.index.recipe import TokenizerRecipe
from genrec.index.report.compare import compare_recipes, comparison_table, write_comparison
from genrec.index.report.diff import diff_indexes, render_diff
from genrec.index.semantic_index import SemanticIndex

KMEANS = {"name": "rq-kmeans", "levels": 2, "codebook_size": 8, "iterations": 5, "backend": "scikit-learn"}


def recipe(name="one", **changes):
    parts = {"name": name, "encoder": {"name": "lsa", "dim": 8}, "quantizer": KMEANS}
    return TokenizerRecipe(**{**parts, **changes})


@pytest.fixture(scope="module")
def shop():
    items, interactions = make_tables()
    catalog = Catalog.from_frame(items)
    return catalog, leave_one_out(Interactions.from_frame(interactions).histories(catalog))


@pytest.fixture(scope="module")
def index(shop):
    return SemanticIndex.build(shop[0], recipe())


def new_items(*names):
    return Catalog.from_frame(pl.DataFrame({"item_id": list(names), "title": ["green cup 1"] * len(names)}))


def test_an_index_and_itself(index):
    diff = diff_indexes(index, index)
    assert (diff.lineage, diff.added, diff.removed, diff.moved, diff.kept) == ("same", (), (), (), 60)
    assert not diff.recipe
    assert all(level.changed == 0 for level in diff.levels)


def test_growing_adds_and_moves_nothing(index):
    grown = index.encode_new(new_items("n1", "n2"))
    there, back = diff_indexes(index, grown), diff_indexes(grown, index)
    assert (there.lineage, there.added, there.moved, there.kept) == ("grown", ("n1", "n2"), (), 60)
    assert (back.lineage, back.removed, back.added) == ("older", ("n1", "n2"), ())
    other = index.encode_new(new_items("n3"))
    assert diff_indexes(grown, other).lineage == "branched"
    assert "recommenders trained on the first work with the second" in render_diff(index, grown)
    assert "- n1 (green cup 1)" in render_diff(index, grown)


def test_another_seed_moves_items_level_by_level(shop, index):
    other = SemanticIndex.build(shop[0].select(list(range(50, 9, -1))), recipe(seed=3))
    diff = diff_indexes(index, other)
    assert diff.lineage == "none"
    assert len(diff.removed) == 19
    assert diff.recipe == {"seed": (0, 3)}
    mine = {item: tuple(codes) for item, codes in zip(index.item_ids, index.codes.tolist(), strict=True)}
    theirs = {item: tuple(codes) for item, codes in zip(other.item_ids, other.codes.tolist(), strict=True)}
    both = [item for item in index.item_ids if item in theirs]
    assert diff.moved == tuple(item for item in both if mine[item] != theirs[item])
    assert diff.kept == len(both) - len(diff.moved)
    for level in diff.levels:
        n = level.level - 1
        assert level.changed == sum(mine[item][n] != theirs[item][n] for item in both)
    assert json.loads(json.dumps(diff.to_dict()))["kept"] == diff.kept


def test_indexes_of_other_depth(shop, index):
    deep = SemanticIndex.build(shop[0], recipe(quantizer={**KMEANS, "levels": 3}))
    diff = diff_indexes(index, deep)
    assert len(diff.moved) == 60
    assert [level.before is None for level in diff.levels] == [False, False, False, True]
    assert diff.levels[3].changed is None
    assert "quantizer.levels: 2 → 3" in render_diff(index, deep)


def test_comparison_shares_encoders_and_survives_failures(shop, monkeypatch, tmp_path):
    from genrec.index.report import compare

    catalog, split = shop
    fitted = []
    encode = compare.encode_items
    monkeypatch.setattr(compare, "encode_items", lambda *a, **k: (fitted.append(a[0].name), encode(*a, **k))[1])
    recipes = [
        recipe("kmeans"),
        recipe("tight", disambiguation={"name": "suffix", "capacity": 1}),
        recipe("random", quantizer={"name": "random", "levels": 2, "codebook_size": 8}),
        recipe("fused", encoder={"name": "fused", "encoders": [{"name": "lsa", "dim": 8}, {"name": "cooccurrence"}]}),
    ]
    rows = list(compare_recipes(catalog, recipes, split=split, keep=tmp_path))
    assert fitted == ["kmeans", "fused"]
    assert [row["tokenizer"] for row in rows] == ["kmeans", "tight", "random", "fused"]
    assert "suffix level has 1 code" in rows[1]["error"]
    assert rows[0]["likeness"] > 0.2 > rows[2]["likeness"]
    assert rows[3]["copurchase_lift_train"] > rows[2]["copurchase_lift_train"]
    alone = SemanticIndex.build(catalog, recipes[0], train=split.train)
    assert SemanticIndex.load(tmp_path / "kmeans").fingerprint == alone.fingerprint
    assert not (tmp_path / "tight").exists()
    table = comparison_table(rows)
    assert "| kmeans | rq-kmeans | 8 × 8 × " in table
    assert "- tight: " in table
    write_comparison(tmp_path, rows, title="Both", command="genrec index compare")
    assert json.loads((tmp_path / "comparison.json").read_text()) == rows
    assert (tmp_path / "comparison.md").read_text().startswith("# Both")


def test_unexpected_failures_of_one_recipe_do_not_lose_the_others(shop, monkeypatch):
    from genrec.quantizers import ResidualKMeans

    def broken(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr(ResidualKMeans, "fit", broken)
    random = {"name": "random", "levels": 2, "codebook_size": 8}
    rows = list(compare_recipes(shop[0], [recipe("first"), recipe("second", quantizer=random)]))
    assert rows[0]["error"] == "MemoryError: no room"
    assert rows[1]["collision_rate"] >= 0


def test_recipes_of_the_same_name_are_refused(shop):
    with pytest.raises(ConfigError, match="Two recipes are called 'one'"):
        list(compare_recipes(shop[0], [recipe(), recipe()]))


def test_a_table_of_failures_only():
    assert comparison_table([{"tokenizer": "x", "error": "no"}]) == "\nFailed:\n\n- x: no\n"
