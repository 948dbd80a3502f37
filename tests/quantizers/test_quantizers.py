"""What every quantizer promises."""

import json

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load, save

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.quantizers import QUANTIZERS, ItemContext, build_quantizer

TRAINED = {"hidden": [16], "epochs": 3}
SMALL = {
    "atomic": {},
    "category-path": {"levels": 2, "codebook_size": 8},
    "concat": {
        "parts": [
            {"quantizer": {"name": "rq-kmeans", "levels": 1, "codebook_size": 8, "iterations": 5}},
            {"quantizer": {"name": "product", "slots": 2, "codebook_size": 4, "rounds": 2}},
        ]
    },
    "fsq": {"slots": 3, "levels": [4, 3], **TRAINED},
    "hierarchical-kmeans": {"levels": 3, "codebook_size": 8, "iterations": 5},
    "parallel-vq": {"slots": 2, "codebook_size": 8, "latent_dim": 4, "warmup": 1, **TRAINED},
    "product": {"slots": 2, "codebook_size": 8, "rounds": 3, "iterations": 5},
    "random": {"levels": 2, "codebook_size": 8},
    "residual-fsq": {"levels": 2, "steps": [3, 3], **TRAINED},
    "rq-kmeans": {"levels": 2, "codebook_size": 8, "iterations": 5},
    "rq-vae": {"levels": 2, "codebook_size": 8, "latent_dim": 4, "warmup": 1, **TRAINED},
    "sequential": {"levels": 2},
    "spectral": {"levels": 2, "codebook_size": 4, "smallest": 4},
}
FROM_ITEMS = ["atomic", "category-path", "random", "sequential", "spectral"]
WITH_VECTORS = sorted(set(SMALL) - set(FROM_ITEMS))
WITH_NETWORKS = ["fsq", "parallel-vq", "residual-fsq", "rq-vae"]
RECONSTRUCT = sorted(set(WITH_VECTORS) - {"concat", "hierarchical-kmeans"})


def context(n=200):
    """Items in two kinds of three colours each, users who stay within a kind."""
    ids = [f"i{row:04d}" for row in range(n)]
    frame = pl.DataFrame(
        {"item_id": ids, "categories": [["shop", f"kind {k % 2}", f"colour {k % 3}"] for k in range(n)]}
    )
    rng = np.random.default_rng(1)
    walks = [(2 * rng.integers(0, max(1, n // 2), 6) + user % 2) % n for user in range(60)]
    return ItemContext(ids, Catalog.from_frame(frame), Histories.from_lists([walk.tolist() for walk in walks]))


@pytest.fixture(scope="module")
def items():
    return context()


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(6, 10)) * 3
    return (middles[rng.integers(0, 6, 200)] + rng.normal(size=(200, 10))).astype(np.float32)


def make(name, **settings):
    return build_quantizer({"name": name, **SMALL[name], **settings})


def same_state(first, second):
    return all((first[0][k] == second[0][k]).all() for k in first[0] | second[0]) and first[1] == second[1]


def test_all_are_tested():
    assert sorted(SMALL) == sorted(QUANTIZERS)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_codes_have_the_promised_shape_and_range(name, vectors, items):
    quantizer = make(name)
    quantizer.fit(vectors, seed=0, items=items)
    for codes in (quantizer.encode(vectors, items=items), quantizer.place(vectors, items=items)):
        assert codes.dtype == np.int32
        assert codes.shape == (200, len(quantizer.codebook_sizes))
        assert (codes >= 0).all()
        assert (codes < np.array(quantizer.codebook_sizes)).all()
    assert quantizer.moves or (codes == quantizer.encode(vectors, items=items)).all()
    assert quantizer.fitted_sizes(quantizer.state()[1]) == quantizer.codebook_sizes
    books = quantizer.codebooks
    assert books is None or [len(book) for book in books] == list(quantizer.codebook_sizes)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_same_seed_same_bytes(name, vectors, items):
    runs = [make(name) for _ in range(2)]
    for quantizer in runs:
        quantizer.fit(vectors, seed=3, items=items)
    assert same_state(runs[0].state(), runs[1].state())
    assert (runs[0].place(vectors, items=items) == runs[1].place(vectors, items=items)).all()
    if name not in ("atomic", "category-path", "sequential", "spectral"):
        other = make(name)
        other.fit(vectors, seed=4, items=items)
        assert (other.encode(vectors, items=items) != runs[0].encode(vectors, items=items)).any()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_saved_and_loaded_is_the_same(name, vectors, items):
    quantizer, again = make(name), make(name)
    quantizer.fit(vectors, seed=0, items=items)
    tensors, rest = quantizer.state()
    again.load_state(load(save(tensors)), json.loads(json.dumps(rest)))
    codes = quantizer.encode(vectors, items=items)
    assert again.codebook_sizes == quantizer.codebook_sizes
    assert (again.encode(vectors, items=items) == codes).all()
    assert (again.place(vectors, items=items) == quantizer.place(vectors, items=items)).all()
    assert same_state(quantizer.state(), again.state())
    if name in RECONSTRUCT:
        assert (again.reconstruct(codes) == quantizer.reconstruct(codes)).all()


@pytest.mark.parametrize("name", RECONSTRUCT)
def test_reconstruction_is_better_than_the_mean(name, vectors):
    quantizer = make(name, **({"epochs": 15, "learning_rate": 0.01} if name in WITH_NETWORKS else {}))
    quantizer.fit(vectors, seed=0)
    again = quantizer.reconstruct(quantizer.encode(vectors))
    assert again.shape == vectors.shape
    assert again.dtype == np.float32
    assert ((vectors - again) ** 2).sum() < 0.7 * ((vectors - vectors.mean(axis=0)) ** 2).sum()


@pytest.mark.parametrize("name", sorted(set(RECONSTRUCT) - {"fsq", "residual-fsq"}))
def test_latents_are_quantized_to_the_nearest_entries(name, vectors):
    quantizer = make(name)
    quantizer.fit(vectors, seed=0)
    codes, latents, books = quantizer.encode(vectors), quantizer.latents(vectors), quantizer.codebooks
    for level, book in enumerate(books):
        rest = latents[:, level] if latents.ndim == 3 else latents
        squares = ((rest[:, None] - book[None]) ** 2).sum(axis=2)
        assert np.allclose(squares[np.arange(200), codes[:, level]], squares.min(axis=1), atol=1e-4)
        if latents.ndim == 2:
            latents = latents - book[codes[:, level]]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_memory_mapped_and_chunked_input(name, vectors, items, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", vectors)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    quantizer = make(name)
    quantizer.fit(mapped, seed=0, items=items)
    whole = quantizer.encode(vectors, items=items)
    monkeypatch.setattr("genrec.quantizers.base.chunks.__defaults__", (7,))
    assert (quantizer.encode(mapped, items=items) == whole).all()


@pytest.mark.parametrize("name", [*WITH_VECTORS, "random"])
@pytest.mark.parametrize(
    "x",
    [np.ones((1, 6)), np.eye(2, 6), np.ones((30, 6)), np.zeros((30, 6)), np.full((3, 1), 1e6)],
    ids=["one", "two", "all-equal", "all-zero", "one-dimension"],
)
def test_degenerate_vectors(name, x):
    x = x.astype(np.float32)
    quantizer = make(name)
    quantizer.fit(x, seed=0)
    codes = quantizer.encode(x)
    assert codes.shape == (len(x), len(quantizer.codebook_sizes))
    equal = [row for row in range(len(x)) if (x[row] == x[0]).all()]
    assert (codes[equal] == codes[0]).all()
    assert quantizer.place(x).shape == codes.shape
    if name in RECONSTRUCT:
        assert np.isfinite(quantizer.reconstruct(codes)).all()


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_row(name, vectors, items, value):
    vectors[17, 2] = value
    with pytest.raises(DataError, match="row 17"):
        make(name).fit(vectors, seed=0, items=items)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_wrong_shapes_are_refused(name, vectors, items):
    for x in (vectors[0], vectors[:0], vectors[:, :0]):
        with pytest.raises(DataError, match="shape"):
            make(name).fit(x, seed=0, items=items)


@pytest.mark.parametrize("name", WITH_VECTORS)
def test_use_before_fitting_and_other_dimensions_are_refused(name, vectors):
    quantizer = make(name)
    with pytest.raises(ArtifactError, match="not fitted"):
        quantizer.encode(vectors)
    if name in RECONSTRUCT:
        with pytest.raises(ArtifactError, match="not fitted"):
            quantizer.reconstruct(np.zeros((1, len(quantizer.codebook_sizes)), dtype=np.int32))
    quantizer.fit(vectors, seed=0)
    with pytest.raises(DataError, match="dimensions"):
        quantizer.encode(vectors[:, :-1])


@pytest.mark.parametrize("name", sorted(set(FROM_ITEMS) - {"random"}))
def test_methods_that_look_at_items_say_so(name, vectors, items):
    with pytest.raises(DataError, match=r"items|fields"):
        make(name).fit(vectors, seed=0)
    with pytest.raises(ArtifactError, match="not fitted"):
        make(name).encode(vectors, items=items)


def test_unknown_names_and_settings_suggest_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'rq-kmeans'"):
        build_quantizer({"name": "rq-kmean"})
    with pytest.raises(ConfigError, match="Did you mean 'codebook_size'"):
        build_quantizer({"name": "rq-kmeans", "codebooksize": 4})
    with pytest.raises(ConfigError, match="levels"):
        build_quantizer({"name": "rq-kmeans", "levels": 0})
    with pytest.raises(ConfigError, match="no name"):
        build_quantizer({})
