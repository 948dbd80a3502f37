"""Recommenders go to other processes and are copied: the same lists, also where the folder has gone meanwhile."""

import copy
import pickle
import shutil
from pathlib import Path

import pytest

from genrec.index import SemanticIndex
from genrec.loading import load

OLD = Path(__file__).parent / "fixtures" / "artifacts-0.1"
KINDS = ["baseline-popularity", "baseline-item-knn", "baseline-sasrec", "decoder", "item-decoder-prior", "seq2seq",
         "recgpt", "llm-merged", "llm-lora", "pretrained"]  # fmt: skip
HISTORIES = [["i001", "i002"], []]


@pytest.mark.parametrize("again", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy], ids=["pickle", "copy"])
@pytest.mark.parametrize("name", KINDS)
def test_a_recommender_that_was_sent_or_copied_gives_the_same_lists(name, again, tmp_path):
    folder = tmp_path / name
    shutil.copytree(OLD / name, folder)
    options = {"checkpoint": str(OLD / "llama")} if name == "llm-lora" else {}
    if name == "pretrained":
        options = {"index": SemanticIndex.load(OLD / "index-pretrained")}
    recommender = load(folder, **options)
    before = recommender.recommend(HISTORIES, 3)
    other = again(recommender)
    shutil.rmtree(folder)
    found = other.recommend(HISTORIES, 3)
    assert found.item_ids == before.item_ids
    assert found.scores.tolist() == before.scores.tolist()
    if hasattr(other, "define"):
        other.define("some", other.item_ids[:5])
        assert set(other.recommend(HISTORIES, 3, within="some").item_ids[1]) <= set(other.item_ids[:5])


def test_an_index_that_was_sent_knows_its_vectors(tmp_path):
    shutil.copytree(OLD / "index-text", tmp_path / "index")
    index = SemanticIndex.load(tmp_path / "index")
    other = pickle.loads(pickle.dumps(index))
    assert other.fingerprint == index.fingerprint
    assert (other.vectors() == index.vectors()).all()
