"""Items of many catalogues on disk."""

import numpy as np
import pytest

from genrec.errors import ArtifactError
from genrec.models.vector_store import DomainItems, VectorStore


def domain(name, n=10):
    rng = np.random.default_rng(n)
    vectors = rng.normal(size=(n, 4)).astype(np.float32)
    return DomainItems(name, rng.integers(0, 5, (n, 2)).astype(np.int32), vectors, vectors.reshape(n, 2, 2))


def test_domains_come_back_memory_mapped(tmp_path):
    store = VectorStore(tmp_path)
    store.add(domain("a"), identity="1")
    store.add(domain("b", 7), identity="2")
    again = VectorStore(tmp_path)
    assert list(again) == ["a", "b"]
    assert again.holds("a", "1")
    assert not again.holds("a", "2")
    read = again.read("b")
    assert isinstance(read.vectors, np.memmap)
    np.testing.assert_array_equal(read.code_vectors, domain("b", 7).code_vectors)
    assert len(read) == 7


def test_what_is_not_there_or_damaged_is_named(tmp_path):
    store = VectorStore(tmp_path)
    store.add(domain("a"), identity="1")
    with pytest.raises(ArtifactError, match="no domain 'c'"):
        store.read("c")
    (tmp_path / "a.vectors.npy").write_bytes(b"")
    with pytest.raises(ArtifactError, match="cannot be read"):
        store.read("a")
