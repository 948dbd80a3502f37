import json
import subprocess
import sys

import pytest

from genrec.artifacts import write_manifest
from genrec.baselines import Popularity, SASRec, TransitionCounts, load_baseline
from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ModelError
from genrec.loading import saved_kind
from genrec.recommender import Recommender

TRAIN = Histories.from_lists([[0, 1, 2], [1, 2, 0]])
IDS = ["ä", "b", "c"]


@pytest.fixture
def saved(tmp_path):
    TransitionCounts(2, 1).fit(TRAIN, IDS).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_every_recommender_loads_by_the_same_call(saved):
    assert saved_kind(saved) == "baseline"
    loaded = Recommender.from_pretrained(saved, device=None)
    assert isinstance(loaded, TransitionCounts)
    assert loaded.recommend([["ä"]], 1).item_ids == [["b"]]


def test_the_manifest_says_what_it_is(saved):
    manifest = json.loads((saved / "recommender.json").read_text())
    assert (manifest["kind"], manifest["baseline"]) == ("baseline", "transition-counts")
    assert manifest["settings"] == {"window": 2, "last": 1, "backward": 0.0, "shrinkage": 0.0}
    assert set(manifest["files"]) == {"README.md", "baseline.safetensors", "items.json"}


def test_a_changed_file_is_noticed(saved):
    (saved / "items.json").write_text('["x", "b", "c"]')
    with pytest.raises(ArtifactError, match="changed or damaged"):
        load_baseline(saved)


@pytest.mark.parametrize(
    ("change", "message"), [({"baseline": "item-knm"}, "item-knn"), ({"kind": "generative"}, "kind 'generative'")]
)
def test_other_kinds_and_names_are_refused(saved, change, message):
    manifest = json.loads((saved / "recommender.json").read_text())
    write_manifest(saved, "recommender.json", {**manifest, **change})
    with pytest.raises(ArtifactError, match=message):
        load_baseline(saved)


def test_what_is_there_is_not_replaced_unasked(saved):
    with pytest.raises(ArtifactError, match="already exists"):
        Popularity().fit(TRAIN, IDS).save_pretrained(saved)
    Popularity().fit(TRAIN, IDS).save_pretrained(saved, overwrite=True)
    assert isinstance(load_baseline(saved), Popularity)


def test_an_unfitted_baseline_cannot_be_saved(tmp_path):
    with pytest.raises(ModelError, match="not fitted"):
        SASRec().save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_no_folder_has_no_kind(tmp_path):
    assert saved_kind(tmp_path) is None
    (tmp_path / "recommender.json").write_text("[1]")
    assert saved_kind(tmp_path) is None


def test_importing_baselines_does_not_import_torch():
    code = "import genrec.baselines, sys; print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
