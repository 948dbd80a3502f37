"""What every quantizer promises."""

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.quantizers import QUANTIZERS, build_quantizer

SMALL = {
    "rq-kmeans": {"levels": 2, "codebook_size": 8, "iterations": 5},
    "rq-vae": {"levels": 2, "codebook_size": 8, "latent_dim": 4, "hidden": [16], "epochs": 3, "warmup": 1},
    "fsq": {"slots": 3, "levels": [4, 3], "hidden": [16], "epochs": 3},
    "random": {"levels": 2, "codebook_size": 8},
}
WITH_VECTORS = sorted(set(SMALL) - {"random"})


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
def test_codes_have_the_promised_shape_and_range(name, vectors):
    quantizer = make(name)
    quantizer.fit(vectors, seed=0)
    codes = quantizer.encode(vectors)
    assert codes.dtype == np.int32
    assert codes.shape == (200, len(quantizer.codebook_sizes))
    assert (codes >= 0).all()
    assert (codes < np.array(quantizer.codebook_sizes)).all()
    books = quantizer.codebooks
    assert books is None or [len(book) for book in books] == list(quantizer.codebook_sizes)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_same_seed_same_bytes(name, vectors):
    runs = [make(name) for _ in range(2)]
    for quantizer in runs:
        quantizer.fit(vectors, seed=3)
    assert same_state(runs[0].state(), runs[1].state())
    assert (runs[0].encode(vectors) == runs[1].encode(vectors)).all()
    other = make(name)
    other.fit(vectors, seed=4)
    assert (other.encode(vectors) != runs[0].encode(vectors)).any()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_saved_and_loaded_is_the_same(name, vectors):
    quantizer, again = make(name), make(name)
    quantizer.fit(vectors, seed=0)
    tensors, rest = quantizer.state()
    again.load_state(load(save(tensors)), json.loads(json.dumps(rest)))
    codes = quantizer.encode(vectors)
    assert (again.encode(vectors) == codes).all()
    assert same_state(quantizer.state(), again.state())
    if name in WITH_VECTORS:
        assert (again.reconstruct(codes) == quantizer.reconstruct(codes)).all()


@pytest.mark.parametrize("name", WITH_VECTORS)
def test_reconstruction_is_better_than_the_mean(name, vectors):
    quantizer = make(name, **({} if name == "rq-kmeans" else {"epochs": 15, "learning_rate": 0.01}))
    quantizer.fit(vectors, seed=0)
    again = quantizer.reconstruct(quantizer.encode(vectors))
    assert again.shape == vectors.shape
    assert again.dtype == np.float32
    assert ((vectors - again) ** 2).sum() < 0.7 * ((vectors - vectors.mean(axis=0)) ** 2).sum()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_memory_mapped_and_chunked_input(name, vectors, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", vectors)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    quantizer = make(name)
    quantizer.fit(mapped, seed=0)
    whole = quantizer.encode(vectors)
    monkeypatch.setattr("genrec.quantizers.base.chunks.__defaults__", (7,))
    assert (quantizer.encode(mapped) == whole).all()


@pytest.mark.parametrize("name", sorted(SMALL))
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
    if name in WITH_VECTORS:
        assert np.isfinite(quantizer.reconstruct(codes)).all()


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_row(name, vectors, value):
    vectors[17, 2] = value
    with pytest.raises(DataError, match="row 17"):
        make(name).fit(vectors, seed=0)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_wrong_shapes_are_refused(name, vectors):
    for x in (vectors[0], vectors[:0], vectors[:, :0]):
        with pytest.raises(DataError, match="shape"):
            make(name).fit(x, seed=0)


@pytest.mark.parametrize("name", WITH_VECTORS)
def test_use_before_fitting_and_other_dimensions_are_refused(name, vectors):
    quantizer = make(name)
    with pytest.raises(ArtifactError, match="not fitted"):
        quantizer.encode(vectors)
    with pytest.raises(ArtifactError, match="not fitted"):
        quantizer.reconstruct(np.zeros((1, len(quantizer.codebook_sizes)), dtype=np.int32))
    quantizer.fit(vectors, seed=0)
    with pytest.raises(DataError, match="dimensions"):
        quantizer.encode(vectors[:, :-1])


def test_unknown_names_and_settings_suggest_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'rq-kmeans'"):
        build_quantizer({"name": "rq-kmean"})
    with pytest.raises(ConfigError, match="Did you mean 'codebook_size'"):
        build_quantizer({"name": "rq-kmeans", "codebooksize": 4})
    with pytest.raises(ConfigError, match="levels"):
        build_quantizer({"name": "rq-kmeans", "levels": 0})
    with pytest.raises(ConfigError, match="no name"):
        build_quantizer({})
