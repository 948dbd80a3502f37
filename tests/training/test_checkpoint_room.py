"""A checkpoint that finds no room: one error that names it, nothing half-written, and the same command goes on."""

import errno
import resource

import pytest
import torch
from safetensors import SafetensorError
from support import TINY_TRAINING
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.errors import ArtifactError
from genrec.training.checkpoints import whole_or_gone

FULL = {
    "python": OSError(errno.ENOSPC, "No space left on device"),
    "rust": SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    "torch": RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 32832 vs 32724"),
    "torch at its end": RuntimeError("basic_ios::clear: iostream error"),
}


@pytest.mark.parametrize("who", sorted(FULL))
def test_who_meets_the_full_disk_makes_no_difference(who, tmp_path):
    checkpoint = tmp_path / "checkpoint-5"
    checkpoint.mkdir()
    (checkpoint / "optimizer.pt").write_bytes(b"half")
    with pytest.raises(ArtifactError, match="A checkpoint cannot be written") as told, whole_or_gone(checkpoint):
        raise FULL[who]
    assert str(checkpoint) in str(told.value)
    assert "run the same command again" in str(told.value)
    assert ("No space left on device" in str(told.value)) == (not who.startswith("torch"))  # there is room here
    assert not checkpoint.exists()


def test_a_fault_of_another_kind_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="a bug"), whole_or_gone(tmp_path / "checkpoint-5"):
        raise RuntimeError("a bug")


def test_training_goes_on_after_a_checkpoint_that_found_no_room(tiny_index, tables, tmp_path, monkeypatch):
    tiny_index.save(tmp_path / "index")
    words = ["train", tmp_path / "index", tables[1], "--out", tmp_path / "model"]
    words += [word for setting in TINY_TRAINING for word in ("--set", setting)]
    limits, save, optimizers = resource.getrlimit(resource.RLIMIT_FSIZE), torch.save, []

    def without_room(value, file, *args, **options):
        optimizers.extend([file] if str(file).endswith("optimizer.pt") else [])
        if len(optimizers) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            save(value, file, *args, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(torch, "save", without_room)
    made = CliRunner().invoke(app, list(map(str, words)))
    assert made.exit_code == 1, made.output
    assert isinstance(made.exception, SystemExit)
    assert "A checkpoint cannot be written" in made.output
    left = list((tmp_path / "model.training" / "checkpoints").iterdir())
    assert len(left) == 1
    assert left[0].name not in made.output
    monkeypatch.undo()
    made = CliRunner().invoke(app, list(map(str, words)))
    assert made.exit_code == 0, made.output
    assert (tmp_path / "model" / "recommender.json").is_file()
