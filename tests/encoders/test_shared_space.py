import json

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders import build_encoder
from genrec.encoders.shared_space import fit_shared, project_shared
from genrec.errors import ConfigError

SETTINGS = {
    "name": "fused",
    "fusion": "shared",
    "dim": 4,
    "encoders": [{"name": "lsa", "dim": 8}, {"name": "cooccurrence", "dim": 6}],
}


def views(n=400, seed=0):
    """Two views of two hidden numbers, each view with noise of its own in four more directions."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    mixes = rng.normal(size=(2, 6, 6))
    text, pairs = (np.hstack([hidden, rng.normal(size=(n, 4))]) @ mix for mix in mixes)
    return hidden, text.astype(np.float32), pairs.astype(np.float32)


def correlation_with(hidden, x):
    """How well a linear map of ``x`` explains the hidden numbers, 0 to 1."""
    x = np.column_stack([x, np.ones(len(x))])
    left = hidden - x @ np.linalg.lstsq(x, hidden, rcond=None)[0]
    return 1 - (left**2).sum() / ((hidden - hidden.mean(axis=0)) ** 2).sum()


def test_the_shared_space_keeps_what_both_views_say():
    hidden, text, pairs = views()
    tensors = fit_shared(text, pairs, np.arange(400), 1.0, 2)
    assert (tensors["correlations"] > 0.95).all()
    assert correlation_with(hidden, project_shared(text, pairs, tensors)) > 0.95
    unknown = project_shared(text, np.zeros_like(pairs), tensors)
    assert correlation_with(hidden, unknown) > 0.95
    assert np.abs(unknown - project_shared(text, pairs, tensors)).mean() < 0.1
    everything = fit_shared(text, pairs, np.arange(400), 1.0, 6)["correlations"]
    assert (everything[2:] < 0.4).all()


def test_nothing_in_common_with_a_single_item():
    _, text, pairs = views(3)
    assert fit_shared(text, pairs * [[1], [0], [0]], np.arange(3), 1.0, 2) == {}


def shop(n=60):
    titles = [f"{('red', 'blue', 'green')[k % 3]} {('cup', 'lamp')[k % 2]} {k // 6}" for k in range(n)]
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": [f"i{k:02}" for k in range(n)], "title": titles}))
    rng = np.random.default_rng(0)
    walks = [(6 * rng.integers(0, (n - 12) // 6, 5) + user % 6).tolist() for user in range(80)]
    return catalog, walks


def test_shared_fusion_as_an_encoder_that_does_not_mind_the_order():
    catalog, walks = shop()
    encoder = build_encoder(SETTINGS)
    encoder.fit(catalog, Histories.from_lists(walks))
    x = encoder.encode(catalog)
    assert x.shape == (60, 4)
    again = build_encoder(SETTINGS)
    tensors, rest = encoder.state()
    again.load_state(tensors, json.loads(json.dumps(rest)))
    assert (again.encode(catalog) == x).all()
    order = np.random.default_rng(1).permutation(60)
    back = np.argsort(order)
    moved = build_encoder(SETTINGS)
    shuffled = catalog.select(order)
    moved.fit(shuffled, Histories.from_lists([back[walk].tolist() for walk in walks]))
    np.testing.assert_allclose(moved.encode(shuffled), x[order], atol=1e-3)


def test_one_kind_of_vectors_is_refused():
    catalog, walks = shop()
    encoder = build_encoder(SETTINGS | {"encoders": [{"name": "lsa", "dim": 8}]})
    with pytest.raises(ConfigError, match="only one is given"):
        encoder.fit(catalog, Histories.from_lists(walks))
