import json

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.encoders import build_encoder
from genrec.errors import DataError

WORDS = ["red", "blue", "lipstick", "shampoo", "brush", "matt", "hair", "nail", "polish", "cream"]


def catalog_of(titles):
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n}" for n in range(len(titles))], "title": titles}))


def random_titles(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 6))) for _ in range(n)]


def fitted(catalog, **settings):
    encoder = build_encoder({"name": "lsa", "dim": 6, **settings})
    encoder.fit(catalog)
    return encoder


def test_alike_items_get_alike_vectors_of_unit_length():
    catalog = catalog_of(
        ["red lipstick matt", "blue lipstick matt", "shampoo for hair", "hair brush", "shampoo for dry hair"]
    )
    x = fitted(catalog).encode(catalog)
    assert x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)
    assert x[0] @ x[1] > x[0] @ x[2]
    assert x[2] @ x[4] > x[2] @ x[0]


@pytest.mark.parametrize(
    "titles", [["red lipstick"], ["red", "blue"], ["same text"] * 7, ["", "", ""], ["...", "!"], ["red", "", "red"]]
)
def test_tiny_catalogues(titles):
    catalog = catalog_of(titles)
    x = fitted(catalog).encode(catalog)
    assert np.isfinite(x).all()
    assert len(x) == len(titles)
    assert 1 <= x.shape[1] <= 6
    lengths = np.linalg.norm(x, axis=1)
    has_word = np.array([any(c.isalnum() for c in title) for title in titles])
    np.testing.assert_allclose(lengths, has_word.astype(float), atol=1e-5)


def test_order_of_items_does_not_matter():
    catalog = catalog_of(random_titles(60))
    order = np.random.default_rng(1).permutation(60)
    x = fitted(catalog).encode(catalog)
    shuffled = catalog.select(order)
    np.testing.assert_array_equal(fitted(shuffled).encode(shuffled), x[order])


def test_seed_gives_the_same_bytes_and_state_survives_json():
    catalog = catalog_of(random_titles(50))
    first, second = fitted(catalog, ngrams=2), fitted(catalog, ngrams=2)
    tensors, rest = first.state()
    assert json.dumps(rest) == json.dumps(second.state()[1])
    loaded = build_encoder(first.settings.model_dump(mode="json"))
    loaded.load_state({k: v.copy() for k, v in tensors.items()}, json.loads(json.dumps(rest)))
    new = catalog_of([*random_titles(20, seed=9), "words never seen"])
    np.testing.assert_array_equal(loaded.encode(new), first.encode(new))
    np.testing.assert_array_equal(second.encode(catalog), first.encode(catalog))
    assert not loaded.encode(new)[-1].any()


def test_single_letters_and_numbers_tell_items_apart():
    catalog = catalog_of(["pack 2", "pack 3", "size a", "size b"])
    x = fitted(catalog).encode(catalog)
    assert len(np.unique(x.round(4), axis=0)) == 4


def test_learns_from_a_sample_and_reports_progress():
    catalog = catalog_of(random_titles(300))
    calls = []
    encoder = fitted(catalog, fit_items=100, max_features=20)
    encoder.progress = lambda what, done, total: calls.append((done, total))
    assert encoder.encode(catalog).shape == (300, 6)
    assert calls == [(300, 300)]
    assert len(encoder.state()[1]["terms"]) <= 20


def test_agrees_with_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer

    titles = random_titles(40)
    catalog = catalog_of(titles)
    x = fitted(catalog, dim=100).encode(catalog)
    full = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(titles)
    np.testing.assert_allclose(x @ x.T, (full @ full.T).toarray(), atol=1e-5)


def test_no_text_field():
    with pytest.raises(DataError, match="text"):
        fitted(Catalog.from_frame(pl.DataFrame({"item_id": ["a"], "price": [1.0]})))
