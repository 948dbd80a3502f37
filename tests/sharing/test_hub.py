"""Recommenders and indexes by way of a hub: the same after it, and nobody is asked where a path was meant."""

import json
import logging
import os
import socket
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import yaml

import genrec
from genrec.artifacts.hub import is_hub_id, push_folder
from genrec.baselines import Popularity, load_baseline
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.generative.pretrained import FoundationModel
from genrec.generative.recommender import GenerativeRecommender
from genrec.sharing.card import CardWords, card


def test_a_recommender_is_the_same_after_the_hub(hub, trained):
    recommender = trained[0]
    address = recommender.push_to_hub("ann/shop", license="apache-2.0", trained_on="A tiny shop of tests.")
    assert address.startswith(f"{hub.address}/ann/shop/commit/")
    assert hub.repos["ann/shop"]["private"]
    again = genrec.Recommender.from_pretrained("ann/shop")
    expected = recommender.recommend([["i001", "i007"], []], 5)
    found = again.recommend([["i001", "i007"], []], 5)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    head, text = hub.files("ann/shop")["README.md"].decode().split("---\n", 2)[1:]
    assert yaml.safe_load(head)["license"] == "apache-2.0"
    assert 'genrec.load("ann/shop")' in text
    assert "A tiny shop of tests." in text


def test_an_index_in_revisions_and_a_card_that_people_edit(hub, tiny_index):
    tiny_index.push_to_hub("ann/index", private=False)
    tiny_index.push_to_hub("ann/index", revision="v2", license="mit")
    assert not hub.repos["ann/index"]["private"]
    assert b"license: mit" in hub.files("ann/index", "v2")["README.md"]
    assert b"license" not in hub.files("ann/index")["README.md"].split(b"---")[1]
    hub.files("ann/index", "v2")["README.md"] += b"\nEdited on the hub.\n"
    for revision in (None, "v2"):
        again = genrec.SemanticIndex.from_pretrained("ann/index", revision=revision)
        assert again.fingerprint == tiny_index.fingerprint
    with pytest.raises(ArtifactError, match="no revision 'v3'"):
        genrec.SemanticIndex.from_pretrained("ann/index", revision="v3")


def test_the_repository_holds_what_was_pushed_last_and_nothing_else(hub, tiny_index):
    made = Popularity().fit(Histories.from_lists([[0, 1], [1, 2]]), ["a", "b", "c"])
    tiny_index.push_to_hub("ann/mixed")
    made.push_to_hub("ann/mixed")
    assert "codes.safetensors" not in hub.files("ann/mixed")
    assert genrec.load("ann/mixed").recommend([["a"]], 2).item_ids == made.recommend([["a"]], 2).item_ids


def test_what_was_changed_on_the_way_is_refused(hub, tiny_index):
    tiny_index.push_to_hub("ann/changed", private=False)
    files = hub.files("ann/changed")
    files["vectors.safetensors"] = files["vectors.safetensors"][:-1] + b"\x01"
    with pytest.raises(ArtifactError, match="changed or damaged"):
        genrec.SemanticIndex.from_pretrained("ann/changed")
    tiny_index.push_to_hub("ann/code", private=False)
    hub.files("ann/code")["modeling.py"] = b"raise SystemExit('ran')"
    with pytest.raises(ArtifactError, match=r"does not know: modeling\.py"):
        genrec.SemanticIndex.from_pretrained("ann/code")


def test_a_path_goes_before_the_hub_and_nobody_is_asked(hub, tiny_index, monkeypatch):
    tiny_index.save("ann/index")
    assert genrec.SemanticIndex.from_pretrained("ann/index").fingerprint == tiny_index.fingerprint
    for name in ("nowhere", "./ann/other", "/ann/other", "ann/other", "a/b/c", "~/x/y", "..", "ann/../x", ""):
        with pytest.raises(ArtifactError, match="not a genrec recommender"):
            genrec.load(name)
    with pytest.raises(ConfigError, match="Only repositories of the hub have revisions"):
        genrec.load("ann/index", revision="main")
    assert hub.calls == []


def test_ids_of_the_hub():
    assert is_hub_id("ann/shop-1.0")
    for name in (
        "ann",
        "/ann/shop",
        "ann/shop/x",
        "ann/..",
        "-a/b",
        "a b/c",
        "ann\\shop",
        "hf://ann/shop",
        "a/" + "b" * 97,
    ):
        assert not is_hub_id(name)


def test_trouble_is_told_and_the_hub_is_named_in_the_log(hub, trained, tiny_index, monkeypatch, caplog):
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ArtifactError, match="no recommender 'bob/none' that you may see") as told,
    ):
        genrec.load("bob/none")
    assert "looking for it on the hub" in caplog.text
    assert "If a path was meant" in str(told.value)
    tiny_index.push_to_hub("ann/secret")
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    with pytest.raises(ArtifactError, match="that you may see"):
        genrec.SemanticIndex.from_pretrained("ann/secret")
    with pytest.raises(ArtifactError, match="The hub refuses 'ann/mine'"):
        tiny_index.push_to_hub("ann/mine")
    with pytest.raises(ConfigError, match="no id of a repository"):
        tiny_index.push_to_hub("mine")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    calls = len(hub.calls)
    with pytest.raises(ArtifactError, match="the hub cannot be asked"):
        genrec.load("ann/elsewhere")
    assert len(hub.calls) == calls
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(ArtifactError, match="the hub cannot be asked"):
        genrec.load("ann/elsewhere")


def test_what_was_fetched_before_is_there_offline(hub, tiny_index, monkeypatch):
    tiny_index.push_to_hub("ann/kept")
    genrec.SemanticIndex.from_pretrained("ann/kept")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert genrec.SemanticIndex.from_pretrained("ann/kept").fingerprint == tiny_index.fingerprint


def test_a_card_has_the_table_beside_the_floors(trained, tmp_path):
    row = {"targets": "all", "split": "test", "cases": 1200}
    figures = {
        f"{name}@10{end}": value
        for name in ("recall", "ndcg")
        for end, value in (("", 0.2), ("_low", 0.1), ("_high", 0.3))
    }
    rows = [
        {**row, **figures, "recommender": "generative", "kind": "generative"},
        {**row, **figures, "recommender": "item-knn", "kind": "baseline"},
        {**row, **figures, "targets": "cold", "recommender": "generative", "kind": "generative"},
    ]
    (tmp_path / "metrics.json").write_text(json.dumps(rows))
    text = card(trained[0], "ann/shop", CardWords(evaluation=tmp_path, limits=["It has never seen winter."]))
    assert "On 1,200 held-out cases of test" in text
    assert "| generative | generative | 0.2000 (0.1000–0.3000) | 0.2000 (0.1000–0.3000) |" in text
    assert "| item-knn | floor |" in text
    assert text.count("| generative |") == 1
    assert "- It has never seen winter." in text
    assert "None was given" in text
    with pytest.raises(DataError, match="no figures"):
        card(trained[0], "ann/shop", CardWords(evaluation=tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="no identifier of a licence"):
        CardWords(license="Apache 2.0\nevil: true")
    assert os.listdir(tmp_path) == ["metrics.json"]


OLD = Path(__file__).parents[1] / "fixtures" / "artifacts-0.1" / "pretrained"


def test_every_kind_is_loaded_by_id_and_in_a_revision(hub, trained):
    trained[0].push_to_hub("ann/shop", revision="v2")
    again = GenerativeRecommender.from_pretrained("ann/shop", revision="v2")
    assert again.recommend([["i001"]], 3).item_ids == trained[0].recommend([["i001"]], 3).item_ids
    with pytest.raises(ArtifactError):  # the main branch is empty
        GenerativeRecommender.from_pretrained("ann/shop")
    Popularity().fit(Histories.from_lists([[0, 1]]), ["a", "b"]).push_to_hub("ann/popular", revision="v2")
    assert load_baseline("ann/popular", revision="v2").recommend([[]], 1).item_ids
    push_folder(OLD, "ann/zero-shot", revision="v2")
    assert FoundationModel.from_pretrained("ann/zero-shot", revision="v2").tokenizer.quantizer_fingerprint
    for load in (GenerativeRecommender.from_pretrained, FoundationModel.from_pretrained, load_baseline):
        with pytest.raises(ConfigError, match="Only repositories of the hub have revisions"):
            load(OLD, revision="v2")
