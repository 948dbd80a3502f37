"""What a run is recognised by."""

import pytest

from genrec.data.histories import Histories
from genrec.errors import ArtifactError
from genrec.generative.config import TrainConfig
from genrec.training.session import TrainingFolder, changes, run_identity

HISTORIES = Histories.from_lists([[0, 1, 2], [1]])


def identity(**settings):
    return run_identity(TrainConfig(**settings), HISTORIES, "index")


def test_a_setting_that_did_not_exist_yet_had_its_default():
    before = identity(seed=1)
    del before["settings"]["examples"]["drop"]
    assert changes(before, identity(seed=1)) == []
    assert changes(before, identity(seed=1, examples={"drop": 0.2})) == ["settings.examples.drop: 0.0 → 0.2"]


def test_how_to_decode_is_not_part_of_it():
    assert changes(identity(), identity(generation={"beams": 3})) == []
    assert changes(identity(), identity(seed=2)) == ["settings.seed: 0 → 2"]


def test_settings_that_this_version_does_not_know_count_as_different():
    before = identity()
    before["settings"]["model"]["quantum"] = True
    assert changes(before, identity()) == ["settings.model.quantum: True → None"]


def test_an_unfinished_run_with_other_settings_is_not_touched(tmp_path):
    folder = TrainingFolder(tmp_path / "model")
    folder.open(identity())
    with pytest.raises(ArtifactError, match="unfinished run"):
        folder.open(identity(seed=3))
    folder.open(identity())
    folder.open(identity(seed=3), overwrite=True)
    folder.remove()
    assert not folder.folder.exists()
