"""What a run is recognised by."""

import json
import shutil
import threading

import pytest
import torch
from safetensors.torch import save_file

from genrec.data.histories import Histories
from genrec.errors import ArtifactError
from genrec.generative.config import TrainConfig
from genrec.training.checkpoints import usable_checkpoint
from genrec.training.session import TrainingFolder, changes, one_at_a_time, run_identity

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
    (folder.checkpoints / "checkpoint-1").mkdir(parents=True)
    (folder.checkpoints / "checkpoint-1" / "trainer_state.json").write_text("{}")
    with pytest.raises(ArtifactError, match="unfinished run"):
        folder.open(identity(seed=3))
    folder.open(identity())
    folder.open(identity(seed=3), overwrite=True)
    folder.remove()
    assert not folder.folder.exists()


def test_a_run_that_learned_nothing_does_not_block_the_corrected_one(tmp_path):
    folder = TrainingFolder(tmp_path / "model")
    folder.open(identity(seed=1))
    (folder.folder / "tokenizer").mkdir()  # what a wrong setting has left
    folder.open(identity(seed=2))
    assert [path.name for path in folder.folder.iterdir()] == ["run.json"]
    (folder.folder / "run.json").write_text("no json")
    folder.open(identity(seed=2))
    assert json.loads((folder.folder / "run.json").read_text())["settings"]["seed"] == 2


def test_only_a_folder_of_a_run_is_emptied(tmp_path):
    (tmp_path / "model.training").mkdir()
    (tmp_path / "model.training" / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(ArtifactError, match=r"not of a run: thesis\.tex"):
            TrainingFolder(tmp_path / "model").open(identity(), overwrite=overwrite)
    (tmp_path / "file.training").write_text("x")
    with pytest.raises(ArtifactError, match="not of a run"):
        TrainingFolder(tmp_path / "file").open(identity())


def test_one_call_at_a_time_trains_into_a_folder(tmp_path):
    def other():
        with pytest.raises(ArtifactError) as error:
            work(out=tmp_path / "model")
        caught.append(error)

    caught = []

    @one_at_a_time
    def work(out=None):
        if not caught:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        return out

    assert work(out=tmp_path / "model") == tmp_path / "model"
    assert "being written by another thread" in str(caught[0].value)
    assert work() is None


def test_a_checkpoint_that_was_not_written_to_its_end_is_left_out(tmp_path):
    """Whatever was cut off: a file is missing, or has its name and not all of its content."""

    def make(step):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"a": torch.zeros(100)}, folder / "model.safetensors")
        for name in ("optimizer.pt", "scheduler.pt"):
            torch.save({"a": torch.zeros(100)}, folder / name)
        (folder / "trainer_state.json").write_text("{}")
        return folder

    good = make(1)
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"):
        for keep in (None, 0, 1, -1):
            file = make(2) / name
            content = file.read_bytes()
            file.unlink()
            if keep is not None:
                file.write_bytes(content[:keep])
            assert usable_checkpoint(tmp_path) == str(good), (name, keep)
            assert not file.parent.exists()
    assert usable_checkpoint(tmp_path / "nothing") is None


def test_what_is_left_beside_a_finished_run_is_removed_and_no_other_run(tmp_path):
    folder = TrainingFolder(tmp_path / "out")
    checkpoint = folder.checkpoints / "checkpoint-3"

    def left_over(run):
        checkpoint.mkdir(parents=True, exist_ok=True)
        if run is not None:
            (folder.folder / "run.json").write_text(json.dumps(run))
        folder.remove_finished(identity(seed=1))
        return folder.folder.exists()

    assert not left_over(identity(seed=1))
    assert not left_over(None)  # killed while the folder was emptied
    assert left_over(identity(seed=2))
    (folder.folder / "run.json").unlink()
    (folder.folder / "thesis.tex").touch()
    assert left_over(None)


def test_training_that_was_killed_after_its_last_step_leaves_nothing_when_it_is_run_again(trained, tables, tmp_path):
    """The result was in its place, the working folder not yet removed."""
    from genrec.data import Interactions
    from genrec.training.train import train

    recommender, folder = trained
    shutil.copytree(folder, tmp_path / "out")
    run = json.loads((folder / "recommender.json").read_text())["run"]
    (tmp_path / "out.training" / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    (tmp_path / "out.training" / "run.json").write_text(json.dumps(run))
    train(recommender.index, Interactions.read(tables[1]), recommender.config, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
