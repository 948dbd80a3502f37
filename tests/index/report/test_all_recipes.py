import re

import pytest
from support import make_tables

from genrec.assets import asset_names
from genrec.data import Catalog, Interactions, leave_one_out
from genrec.index.recipe import load_recipe
from genrec.index.report import checks, overall
from genrec.index.report.compare import comparison_table, index_row
from genrec.index.report.html import render_index_html
from genrec.index.semantic_index import SemanticIndex

TRAINED = ("fsq", "rq-vae", "parallel-vq", "residual-fsq")


@pytest.fixture(scope="module")
def shop():
    items, interactions = make_tables()
    catalog = Catalog.from_frame(items)
    return catalog, leave_one_out(Interactions.from_frame(interactions).histories(catalog))


@pytest.mark.parametrize("name", asset_names("tokenizers", ".yaml"))
def test_every_recipe_can_be_judged(name, shop, monkeypatch):
    from genrec import drawing

    monkeypatch.setattr(drawing, "available", lambda: False)  # plots have a test of their own and take a second each
    catalog, split = shop
    recipe = load_recipe(name)
    quick = {"epochs": 1} if recipe.quantizer["name"] in TRAINED else {}
    encoder = {"name": "lsa", "dim": 8} if re.search("sentence|llm2rec", str(recipe.encoder)) else recipe.encoder
    recipe = recipe.model_copy(update={"encoder": encoder, "quantizer": {**recipe.quantizer, **quick}})
    index = SemanticIndex.build(catalog, recipe, train=split.train)
    stats = index.stats(split)
    assert checks(stats)
    page = render_index_html(index, stats)
    assert overall(stats) in page
    row = index_row(stats)
    assert 0 <= row["collision_rate"] < 1
    assert row["codes"] in comparison_table([row])
