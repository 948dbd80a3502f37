import json

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders import build_encoder
from genrec.errors import DataError


def catalog_of(n):
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"i{k:02}" for k in range(n)], "title": ["x"] * n}))


def fitted(catalog, lists, **settings):
    encoder = build_encoder({"name": "item2vec", "dim": 8, "epochs": 20, **settings})
    encoder.fit(catalog, Histories.from_lists(lists))
    return encoder


def groups(rng):
    """Items 0-4 go together, items 5-9 go together; 10 and 11 are never seen."""
    return [rng.permutation(5 * (user % 2) + np.arange(5)).tolist() for user in range(40)]


def test_items_bought_together_are_near_and_unseen_items_are_zero():
    catalog = catalog_of(12)
    x = fitted(catalog, groups(np.random.default_rng(0))).encode(catalog)
    inside, across = x[:5] @ x[:5].T, x[:5] @ x[5:10].T
    assert inside[~np.eye(5, dtype=bool)].min() > across.max() + 0.3
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), [1] * 10 + [0] * 2, atol=1e-5)


def test_order_of_items_and_users_does_not_matter_and_the_seed_does():
    catalog, lists = catalog_of(12), groups(np.random.default_rng(1))
    x = fitted(catalog, lists, epochs=3).encode(catalog)
    order = np.random.default_rng(2).permutation(12)
    back = np.argsort(order)
    moved = [back[items].tolist() for items in lists[::-1]]
    shuffled = catalog.select(order)
    assert (fitted(shuffled, moved, epochs=3).encode(shuffled) == x[order]).all()
    assert (fitted(catalog, lists, epochs=3, seed=1).encode(catalog) != x).any()


def test_saved_and_loaded_is_the_same():
    catalog = catalog_of(12)
    encoder = fitted(catalog, groups(np.random.default_rng(0)), epochs=2)
    tensors, rest = encoder.state()
    again = build_encoder({"name": "item2vec", "dim": 8})
    again.load_state(tensors, json.loads(json.dumps(rest)))
    assert (again.encode(catalog) == encoder.encode(catalog)).all()


def test_histories_without_pairs_are_refused():
    with pytest.raises(DataError, match="two different items"):
        fitted(catalog_of(3), [[0], [1, 1]])
