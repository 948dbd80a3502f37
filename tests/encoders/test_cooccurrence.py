import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders import build_encoder
from genrec.encoders.cooccurrence import count_pairs
from genrec.errors import DataError

N = 6
HISTORIES = st.lists(st.lists(st.integers(0, N - 1), max_size=7), max_size=5)


def catalog_of(ids):
    return Catalog.from_frame(pl.DataFrame({"item_id": ids, "title": ["x"] * len(ids)}))


def two_groups(rng):
    """Items 0-4 go together, items 5-9 go together; 10 and 11 are never seen."""
    return [rng.permutation(5 * (user % 2) + np.arange(5)).tolist() for user in range(40)]


def fitted(catalog, lists, **settings):
    encoder = build_encoder({"name": "cooccurrence", "dim": 4, **settings})
    encoder.fit(catalog, Histories.from_lists(lists))
    return encoder


@given(HISTORIES, st.integers(1, 4))
def test_counts_equal_brute_force(lists, window):
    expected = np.zeros((N, N))
    for items in lists:
        for a, left in enumerate(items):
            for b in range(a + 1, min(a + window, len(items) - 1) + 1):
                if left != items[b]:
                    expected[left, items[b]] += 1 / (b - a)
                    expected[items[b], left] += 1 / (b - a)
    histories = Histories.from_lists(lists)
    counts = count_pairs(histories.items, histories.offsets, N, window)
    np.testing.assert_allclose(counts.toarray(), expected)


@pytest.mark.parametrize("weighting", ["ppmi", "log"])
def test_items_bought_together_are_near_and_unseen_items_are_zero(weighting):
    catalog = catalog_of([f"i{n:02}" for n in range(12)])
    x = fitted(catalog, two_groups(np.random.default_rng(0)), weighting=weighting).encode(catalog)
    inside, across = x[:5] @ x[:5].T, x[:5] @ x[5:10].T
    assert inside[~np.eye(5, dtype=bool)].min() > across.max() + 0.2
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), [1] * 10 + [0] * 2, atol=1e-5)


def test_order_of_items_and_users_does_not_matter():
    rng = np.random.default_rng(3)
    catalog = catalog_of([f"i{n:02}" for n in range(12)])
    lists = [rng.integers(0, 12, size=rng.integers(1, 9)).tolist() for _ in range(60)]
    x = fitted(catalog, lists).encode(catalog)
    order = rng.permutation(12)
    place = np.argsort(order)
    shuffled = [[int(place[item]) for item in lists[user]] for user in rng.permutation(60)]
    np.testing.assert_array_equal(fitted(catalog.select(order), shuffled).encode(catalog), x)


def test_new_items_are_zero_and_state_survives_json():
    catalog = catalog_of(["a", "b", "c"])
    encoder = fitted(catalog, [[0, 1], [1, 2, 0]])
    tensors, rest = encoder.state()
    loaded = build_encoder(encoder.settings.model_dump(mode="json"))
    loaded.load_state(tensors, json.loads(json.dumps(rest)))
    x = loaded.encode(catalog_of(["new", "b", "a"]))
    np.testing.assert_array_equal(x[1:], encoder.encode(catalog)[[1, 0]])
    assert not x[0].any()


@pytest.mark.parametrize("lists", [[[0, 1]], [[0, 1], [0]], [[0, 0, 1, 1]]])
def test_tiny_data(lists):
    catalog = catalog_of(["a", "b"])
    x = fitted(catalog, lists).encode(catalog)
    assert np.isfinite(x).all()
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("lists", [[], [[0], [1]], [[0, 0]]])
def test_without_any_pair_the_error_says_so(lists):
    with pytest.raises(DataError, match="two different items"):
        fitted(catalog_of(["a", "b"]), lists)
