import json
import threading
from pathlib import Path

import numpy as np

from genrec.encoders.cache import VectorCache, cache_root


def contents(cache):
    return {key: vector.tolist() for keys, vectors in cache.shards() for key, vector in zip(keys, vectors, strict=True)}


def test_vectors_come_back_and_identities_are_apart(tmp_path):
    cache = VectorCache(tmp_path, {"model": "m"})
    keys = cache.keys(["a", "b", "\ud800"])
    cache.add(keys, np.eye(3, dtype=np.float32))
    assert contents(VectorCache(tmp_path, {"model": "m"})) == dict(zip(keys, np.eye(3).tolist(), strict=True))
    other = VectorCache(tmp_path, {"model": "n"})
    assert contents(other) == {}
    assert other.keys(["a"]) != keys[:1]
    assert json.loads((cache.folder / "cache.json").read_text()) == {"model": "m"}


def test_damaged_or_half_written_shards_are_ignored(tmp_path, caplog):
    cache = VectorCache(tmp_path, {})
    cache.add(cache.keys(["a"]), np.ones((1, 2), dtype=np.float32))
    cache.add(cache.keys(["b"]), np.ones((1, 2), dtype=np.float32))
    shards = sorted(cache.folder.glob("*.vectors.npy"))
    shards[0].write_bytes(shards[0].read_bytes()[:-3])
    (cache.folder / "left.vectors.npy").write_bytes(b"killed before its keys were written")
    assert len(contents(cache)) == 1
    assert "damaged" in caplog.text


def test_many_writers_at_once(tmp_path):
    texts = [f"t{n}" for n in range(8)]

    def write(seed):
        cache = VectorCache(tmp_path, {})
        for n in np.random.default_rng(seed).permutation(8):
            cache.add(cache.keys([texts[n]]), np.full((1, 4), n, dtype=np.float32))

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache = VectorCache(tmp_path, {})
    assert contents(cache) == {key: [float(n)] * 4 for n, key in enumerate(cache.keys(texts))}
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_that_cannot_be_written_only_warns(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache = VectorCache(tmp_path / "file", {})
    cache.add(cache.keys(["a"]), np.ones((1, 2), dtype=np.float32))
    assert cache.folder is None
    assert "not kept" in caplog.text
    assert contents(cache) == {}


def test_place_of_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GENREC_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.setenv("GENREC_CACHE", "off")
    assert cache_root() is None
    monkeypatch.delenv("GENREC_CACHE")
    assert cache_root() == Path.home() / ".cache" / "genrec"
