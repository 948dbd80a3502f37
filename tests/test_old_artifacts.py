"""Folders that release 0.1 wrote are read as they were meant: same codes, same lists, same scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from genrec.data import Catalog
from genrec.index import SemanticIndex
from genrec.recommender import Recommender

OLD = Path(__file__).parent / "fixtures" / "artifacts-0.1"
EXPECTED = json.loads((OLD / "expected.json").read_text())
NEAR = 1e-3
"""Items whose scores differ by less may change places from one processor to the next."""


def opened(name):
    if name == "pretrained":
        return Recommender.from_pretrained(OLD / name, index=SemanticIndex.load(OLD / "index-pretrained"))
    moved = {"checkpoint": str(OLD / "llama")} if name in ("llm-lora", "llm-item-head") else {}
    return Recommender.from_pretrained(OLD / name, **moved)


@pytest.mark.parametrize("name", EXPECTED["indexes"])
def test_an_old_index_is_read(name):
    index, wanted = SemanticIndex.load(OLD / name), EXPECTED["indexes"][name]
    assert index.codes.tolist() == wanted["codes"]
    assert index.item_ids.tolist() == wanted["item_ids"]
    assert index.lineage == wanted["lineage"]


def test_an_old_index_grows_as_it_did():
    """The encoder, the quantizer and the rule of a loaded index give new items the codes that they gave then."""
    old = SemanticIndex.load(OLD / "index-text")
    new = Catalog.read(OLD / "new.jsonl")
    renamed = Catalog(new.frame.with_columns(new.frame["item_id"] + "-new"))
    grown = old.encode_new(renamed)
    assert len(grown) == len(old) + len(new)
    assert grown.lineage[0] == old.fingerprint
    np.testing.assert_allclose(grown.vectors()[len(old) :], old.vectors()[-len(new) :], atol=1e-4)


@pytest.mark.parametrize("name", EXPECTED["recommenders"])
def test_an_old_recommender_gives_the_lists_that_it_gave(name):
    wanted = EXPECTED["recommenders"][name]
    found = opened(name).recommend(wanted["histories"], 5)
    for row, (items, scores) in enumerate(zip(wanted["item_ids"], wanted["scores"], strict=True)):
        own = found.scores[row][: len(found.item_ids[row])]
        np.testing.assert_allclose(own, scores, atol=1e-4)
        apart = np.abs(np.diff([np.inf, *scores, -np.inf]))
        sure = (apart[:-1] > NEAR) & (apart[1:] > NEAR)
        sure[-1:] = False  # the next one is not known
        assert [item for item, clear in zip(found.item_ids[row], sure, strict=True) if clear] == [
            item for item, clear in zip(items, sure, strict=True) if clear
        ]


def test_an_old_adapter_is_merged_as_it_was():
    adapter, merged = opened("llm-lora"), opened("llm-merged")
    adapter.merge()
    histories = EXPECTED["recommenders"]["llm-merged"]["histories"]
    np.testing.assert_allclose(adapter.score_items(histories), merged.score_items(histories), atol=1e-4)
