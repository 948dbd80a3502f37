import importlib.util

import numpy as np
import pytest

from genrec.errors import MissingExtraError
from genrec.quantizers.kmeans import kmeans, resolve_backend
from genrec.quantizers.rq_kmeans import ResidualKMeans, ResidualKMeansSettings

HAVE_FAISS = importlib.util.find_spec("faiss") is not None
BACKENDS = ["scikit-learn", pytest.param("faiss", marks=pytest.mark.skipif(not HAVE_FAISS, reason="no faiss"))]


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)


def fitted(x, **settings):
    quantizer = ResidualKMeans(ResidualKMeansSettings(**settings))
    quantizer.fit(x, seed=0)
    return quantizer


@pytest.mark.parametrize("backend", BACKENDS)
def test_codes_are_the_nearest_centroids_of_the_residuals(vectors, backend):
    quantizer = fitted(vectors, levels=3, codebook_size=16, backend=backend)
    codes, rest = quantizer.encode(vectors), vectors.astype(np.float64)
    for level, book in enumerate(quantizer.codebooks):
        distances = ((rest[:, None] - book[None]) ** 2).sum(axis=2)
        chosen = distances[np.arange(300), codes[:, level]]
        assert np.allclose(chosen, distances.min(axis=1), atol=1e-4)
        rest -= book[codes[:, level]]
    assert np.allclose(vectors - quantizer.reconstruct(codes), rest, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_level_lowers_the_error_and_uses_its_codes(vectors, backend):
    quantizer = fitted(vectors, levels=4, codebook_size=16, backend=backend)
    codes, books = quantizer.encode(vectors), quantizer.codebooks
    errors = [float(((vectors - sum(books[n][codes[:, n]] for n in range(depth))) ** 2).sum()) for depth in range(1, 5)]
    assert errors == sorted(errors, reverse=True)
    assert all(len(np.unique(codes[:, level])) == 16 for level in range(4))


@pytest.mark.parametrize("backend", BACKENDS)
def test_fewer_distinct_rows_than_codes(backend):
    x = np.repeat(np.eye(3, 5, dtype=np.float32), 50, axis=0)
    quantizer = fitted(x, levels=2, codebook_size=64, backend=backend)
    codes = quantizer.encode(x)
    assert len(np.unique(codes, axis=0)) == 3
    assert quantizer.codebook_sizes == (64, 64)
    assert np.allclose(quantizer.reconstruct(codes), x)
    assert [len(book) for book in quantizer.codebooks] == [64, 64]


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_row_fewer_than_codes_times_anything(backend):
    for n in (1, 2, 15, 16, 17, 40):
        x = np.random.default_rng(n).normal(size=(n, 4)).astype(np.float32)
        centroids = kmeans(x, 16, iterations=3, seed=0, backend=backend)
        assert 1 <= len(centroids) <= min(n, 16)
        assert len(np.unique(centroids, axis=0)) == len(centroids)


def test_fits_on_a_sample_but_encodes_all(vectors):
    quantizer = fitted(vectors, levels=1, codebook_size=4, sample=50)
    assert quantizer.encode(vectors).shape == (300, 1)


def test_normalized_vectors_lose_their_length(vectors):
    quantizer = fitted(vectors, levels=2, codebook_size=8, normalize=True)
    assert (quantizer.encode(vectors) == quantizer.encode(vectors * 7)).all()
    assert (quantizer.encode(np.zeros((1, 8), dtype=np.float32)) >= 0).all()


def test_balanced_codes_are_used_evenly():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(2000, 6)) * rng.exponential(size=(2000, 1))).astype(np.float32)
    plain, even = (fitted(x, levels=2, codebook_size=16, balanced=balanced) for balanced in (False, True))
    for level in range(2):
        counts = [np.bincount(q.encode(x)[:, level], minlength=16) for q in (plain, even)]
        assert counts[1].max() < 0.3 * counts[0].max()
        assert counts[1].std() < 0.4 * counts[0].std()
    again = ResidualKMeans(even.settings)
    again.load_state(*even.state())
    assert (again.encode(x) == even.encode(x)).all()
    equal = fitted(np.ones((50, 3), dtype=np.float32), levels=2, codebook_size=4, balanced=True)
    assert len(np.unique(equal.encode(np.ones((50, 3), dtype=np.float32)), axis=0)) == 1


def test_missing_faiss_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert resolve_backend("auto") == "scikit-learn"
    with pytest.raises(MissingExtraError, match=r"genrec\[ann\]"):
        resolve_backend("faiss")


def test_many_rows_start_from_a_part_and_lose_as_little(monkeypatch):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 12))[rng.integers(0, 30, 3000)] + 0.3 * rng.normal(size=(3000, 12))).astype(np.float32)

    def lost(centroids):
        return float(((x[:, None] - centroids) ** 2).sum(axis=2).min(axis=1).sum())

    whole = kmeans(x, 16, iterations=25, seed=0, backend="scikit-learn")
    monkeypatch.setattr("genrec.quantizers.kmeans._MANY", 1000)
    parted = kmeans(x, 16, iterations=25, seed=0, backend="scikit-learn")
    assert parted.shape == whole.shape
    assert not np.array_equal(parted, whole)
    assert lost(parted) < 1.05 * lost(whole)
    assert np.array_equal(parted, kmeans(x, 16, iterations=25, seed=0, backend="scikit-learn"))


def test_a_part_with_fewer_distinct_rows_than_codes_is_no_start(monkeypatch):
    x = np.zeros((3000, 3), dtype=np.float32)
    x[::60] = np.random.default_rng(0).normal(size=(50, 3))
    whole = kmeans(x, 16, iterations=5, seed=0, backend="scikit-learn")
    monkeypatch.setattr("genrec.quantizers.kmeans._MANY", 10)
    monkeypatch.setattr("genrec.quantizers.kmeans._PART", 1)
    assert np.array_equal(kmeans(x, 16, iterations=5, seed=0, backend="scikit-learn"), whole)
