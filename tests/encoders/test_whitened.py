"""Vectors without what all items of a catalogue have in common."""

import numpy as np
import polars as pl
import pytest
from support import assert_equal_but_rounding

from genrec.data import Catalog
from genrec.encoders import build_encoder
from genrec.encoders.precomputed import read_vectors_from
from genrec.errors import ConfigError
from genrec.index.recipe import TokenizerRecipe
from genrec.index.semantic_index import SemanticIndex
from genrec.quantizers import build_quantizer


def catalogue(folder, seed, n=300, dim=24):
    """Items whose vectors share a direction, differ mostly along two others, and fill the rest a little."""
    rng = np.random.default_rng(seed)
    spread = np.r_[2.0, 1.0, np.full(dim - 2, 0.15)]
    vectors = rng.normal(size=(n, dim)) * rng.permutation(spread) + 4 * rng.normal(size=dim)
    ids = [f"{seed}-{number:03d}" for number in range(n)]
    path = folder / f"{seed}.parquet"
    pl.DataFrame({"item_id": ids, "vector": vectors.astype(np.float32).tolist()}).write_parquet(path)
    return Catalog.from_frame(pl.DataFrame({"item_id": ids, "title": ids})), path


def encoder(path, **settings):
    return {"name": "whitened", "encoder": {"name": "precomputed", "path": str(path)}, **settings}


def test_vectors_are_centred_and_decorrelated_and_the_state_keeps_it(tmp_path):
    catalog, path = catalogue(tmp_path, 0)
    made = build_encoder(encoder(path))
    made.fit(catalog)
    vectors = made.encode(catalog)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    values = np.linalg.eigvalsh(np.cov(vectors.T))
    plain = np.linalg.eigvalsh(np.cov(np.array(pl.read_parquet(path)["vector"].to_list()).T))
    assert values[-1] / values[0] < 0.1 * plain[-1] / plain[0]
    assert np.abs(vectors.mean(0)).max() < 0.1
    again = build_encoder(encoder(path))
    again.load_state(*made.state())
    few = catalog.select(np.array([5, 3]))
    assert_equal_but_rounding(again.encode(few), vectors[[5, 3]])  # a part is encoded like the whole
    shuffled = build_encoder(encoder(path))
    order = np.random.default_rng(1).permutation(len(catalog))
    shuffled.fit(catalog.select(order))
    assert_equal_but_rounding(shuffled.encode(catalog.select(order)), vectors[order])


def test_an_unseen_catalogue_fills_the_codes_of_a_frozen_quantizer(tmp_path):
    used = {}
    for whitened in (True, False):
        parts = []
        for seed in (1, 2, 3):
            catalog, path = catalogue(tmp_path, seed)
            one = build_encoder(encoder(path) if whitened else encoder(path)["encoder"])
            one.fit(catalog)
            parts.append(one.encode(catalog))
        quantizer = build_quantizer({"name": "fsq", "slots": 2, "levels": [5, 5, 5], "epochs": 20})
        quantizer.fit(np.concatenate(parts[:2]), seed=0)
        used[whitened] = len(np.unique(quantizer.encode(parts[2]), axis=0))
    assert used[True] > 1.2 * used[False]


def test_an_index_adds_items_on_the_scale_of_the_first_ones(tmp_path):
    catalog, path = catalogue(tmp_path, 4)
    recipe = TokenizerRecipe(encoder=encoder(path), quantizer={"name": "rq-kmeans", "levels": 2, "codebook_size": 16})
    index = SemanticIndex.build(catalog.select(np.arange(200)), recipe)
    index.save(tmp_path / "index")
    index = SemanticIndex.load(tmp_path / "index")
    kept = index.tokenizer.encoder._whitening
    grown = index.encode_new(catalog.select(np.arange(200, 300)), vectors_from=path)
    assert len(grown) == 300
    raw = np.array(pl.read_parquet(path)["vector"].to_list(), dtype=np.float32)
    np.testing.assert_allclose(grown.vectors(), kept.apply(raw), atol=1e-6)


def test_what_can_be_compared_is_what_the_encoder_says(tmp_path):
    _, path = catalogue(tmp_path, 5)
    assert build_encoder(encoder(path)).ready_made
    learned = build_encoder({"name": "whitened", "encoder": {"name": "lsa"}})
    assert not learned.ready_made
    assert not learned.needs_interactions
    assert build_encoder({"name": "whitened", "encoder": {"name": "cooccurrence"}}).needs_interactions
    other = build_encoder(encoder(path))
    _, elsewhere = catalogue(tmp_path, 6)
    read_vectors_from(other, elsewhere)
    with pytest.raises(ConfigError, match="shrinkage"):
        build_encoder(encoder(path, shrinkage=0))
    with pytest.raises(ConfigError, match="name"):
        build_encoder({"name": "whitened", "encoder": {"nam": "lsa"}})
