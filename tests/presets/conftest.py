"""The demo shop, its indexes and tiny language models, made once for all presets of a module."""

import pytest
from language_support import save_checkpoint
from preset_support import FAMILIES, tiny_recipe

from genrec import Catalog
from genrec.data import Interactions
from genrec.data.shop import make_shop
from genrec.index.semantic_index import SemanticIndex


@pytest.fixture(scope="module")
def shop():
    """The demo shop, small."""
    items, interactions = make_shop(n_items=80, n_users=60)
    return Catalog.from_frame(items), Interactions.from_frame(interactions)


@pytest.fixture(scope="module")
def index_for(shop):
    """A function that builds a recipe's index, with few codes over vectors that need no model; each once."""
    made = {}

    def build(name):
        if name not in made:
            made[name] = SemanticIndex.build(shop[0], tiny_recipe(name))
        return made[name]

    return build


@pytest.fixture(scope="module")
def checkpoint_of(tmp_path_factory):
    """A function that gives a tiny language model for an architecture."""
    made = {}

    def build(architecture):
        family = FAMILIES.get(architecture, "qwen3")
        if family not in made:
            made[family] = save_checkpoint(tmp_path_factory.mktemp(family), family)
        return str(made[family])

    return build
