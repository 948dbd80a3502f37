import json

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders import build_encoder
from genrec.encoders.base import normalize_rows
from genrec.errors import ConfigError, DataError

COLOURS = ["red", "blue", "green", "black"]
KINDS = ["lipstick", "shampoo", "brush"]
PARTS = [{"name": "lsa", "dim": 8}, {"name": "cooccurrence", "dim": 5}]


def shop():
    """Twelve kinds of items, four of each kind and one more that nobody bought (the last three)."""
    titles = [f"{colour} {kind}" for kind in KINDS for colour in COLOURS] + [f"white {kind}" for kind in KINDS]
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n:02}" for n in range(15)], "title": titles}))


def purchases(seed=0):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([(4 * (user % 3) + rng.permutation(4)).tolist() for user in range(60)])


def fitted(catalog=None, train=None, **settings):
    encoder = build_encoder({"name": "fused", "encoders": PARTS, **settings})
    encoder.fit(shop() if catalog is None else catalog, purchases() if train is None else train)
    return encoder


def test_parts_are_normalised_weighted_and_joined():
    catalog, train = shop(), purchases()
    x = fitted(weights=[3, 4]).encode(catalog)
    parts = [build_encoder(content) for content in PARTS]
    for part in parts:
        part.fit(catalog, train)
    text, bought = (normalize_rows(part.encode(catalog)) for part in parts)
    np.testing.assert_allclose(x[:12], np.hstack([0.6 * text, 0.8 * bought])[:12], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(x[:12], axis=1), 1, rtol=1e-5)


def test_a_missing_collaborative_part_is_predicted_from_text():
    catalog = shop()
    x = fitted().encode(catalog)
    part = x[:, -fitted().parts[1].encode(catalog).shape[1] :]
    for kind in range(3):
        near = part[12 + kind] @ part[:12].T
        assert near[4 * kind : 4 * kind + 4].mean() > np.delete(near, range(4 * kind, 4 * kind + 4)).max()
    assert np.linalg.norm(x, axis=1).max() <= 1 + 1e-5


def test_fill_none_keeps_zeros():
    assert not fitted(fill="none").encode(shop())[12:, 8:].any()


def test_nothing_is_predicted_for_an_item_without_text():
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["new"], "title": [""]}))
    assert not fitted().encode(catalog).any()


@pytest.mark.parametrize("settings", [{}, {"dim": 4}, {"fill": "none", "dim": 50}])
def test_state_survives_json(settings):
    encoder = fitted(**settings)
    tensors, rest = encoder.state()
    loaded = build_encoder(encoder.settings.model_dump(mode="json"))
    loaded.load_state(tensors, json.loads(json.dumps(rest)))
    new = Catalog.from_frame(pl.DataFrame({"item_id": ["n", "i03"], "title": ["gold brush", "black lipstick"]}))
    np.testing.assert_array_equal(loaded.encode(new), encoder.encode(new))


def test_principal_components_keep_distances():
    catalog = shop()
    full, reduced = fitted().encode(catalog), fitted(dim=13).encode(catalog)
    assert reduced.shape[1] <= 13
    np.testing.assert_allclose(
        np.linalg.norm(full[:, None] - full, axis=2), np.linalg.norm(reduced[:, None] - reduced, axis=2), atol=1e-4
    )


def test_order_of_items_does_not_matter():
    catalog, train = shop(), purchases()
    order = np.random.default_rng(5).permutation(15)
    place = np.argsort(order).astype(np.int32)
    shuffled = Histories(train.user_ids, train.offsets, place[train.items])
    x = fitted(catalog, train, dim=6).encode(catalog)
    np.testing.assert_allclose(fitted(catalog.select(order), shuffled, dim=6).encode(catalog), x, atol=1e-6)


@pytest.mark.parametrize("titles", [["same"] * 3, ["", "", ""]])
@pytest.mark.parametrize("dim", [None, 4])
def test_identical_and_empty_items(titles, dim):
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b", "c"], "title": titles}))
    x = fitted(catalog, Histories.from_lists([[0, 1], [1, 0]]), dim=dim).encode(catalog)
    assert np.isfinite(x).all()
    assert x.shape[0] == 3
    assert x.shape[1] >= 1


def test_text_alone_needs_no_interactions():
    encoder = build_encoder({"name": "fused", "encoders": PARTS[:1]})
    assert not encoder.needs_interactions
    encoder.fit(shop())
    assert encoder.encode(shop()).shape == (15, 8)
    with pytest.raises(DataError, match="interactions"):
        build_encoder({"name": "fused", "encoders": PARTS}).fit(shop())


@pytest.mark.parametrize(
    "settings",
    [{"weights": [1]}, {"weights": [1, 0]}, {"encoders": []}, {"encoders": [{"name": "lsaa"}]}, {"fill": "mean"}],
)
def test_wrong_settings(settings):
    with pytest.raises(ConfigError):
        build_encoder({"name": "fused", "encoders": PARTS, **settings})
