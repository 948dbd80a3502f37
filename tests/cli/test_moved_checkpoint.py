"""An adapter whose language model has moved: one error that says how to name its place, and the option that does."""

import shutil

import pytest
from language_support import save_checkpoint
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.data import Interactions
from genrec.errors import ArtifactError
from genrec.generative.config import load_train_config
from genrec.loading import load, moved_checkpoint
from genrec.training.train import train

pytest.importorskip("peft")
SMALL = [
    "model.llm.lora.r=2",
    "model.max_items=4",
    "prompts.rows_per_epoch=16",
    "validation.users=8",
    "validation.beams=4",
    "generation.beams=8",
    "trainer.num_train_epochs=1",
    "trainer.per_device_train_batch_size=8",
]


@pytest.fixture(scope="module")
def moved(tables, tiny_index, tmp_path_factory):
    """A recommender with an adapter, where its base was, where it is now, and another base."""
    folder = tmp_path_factory.mktemp("moved")
    old, new = save_checkpoint(folder / "old", "llama"), folder / "new"
    settings = load_train_config("llm-decoder-lora", [f"model.checkpoint={old}", *SMALL])
    train(tiny_index, Interactions.read(tables[1]), settings, folder / "model")
    shutil.move(old, new)
    return folder / "model", old, new, save_checkpoint(folder / "other", "gpt2")


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("verb", ["generate", "evaluate", "regret"])
def test_the_new_place_is_asked_for_and_taken(verb, moved, tables, tmp_path):
    model, old, new, other = moved
    words = {
        "generate": ["generate", model, tables[1], "--out", tmp_path / "lists.csv"],
        "evaluate": ["evaluate", model, tables[1], "--out", tmp_path / "report", "--baseline", "popularity"],
        "regret": ["bench", "regret", model, tables[1], "--users", "5", "--beams", "4"],
    }[verb]
    lost = invoke(*words)
    assert lost.exit_code == 1
    text = " ".join(lost.output.split())
    assert "--checkpoint FOLDER" in text
    assert str(old.name) in text
    found = invoke(*words, "--checkpoint", other, "--checkpoint", new)
    assert found.exit_code == 0, found.output
    wrong = (
        invoke(*words, "--checkpoint", other, "--overwrite")
        if verb != "regret"
        else invoke(*words, "--checkpoint", other)
    )
    assert wrong.exit_code == 1
    assert "is not the one that this adapter was trained on" in " ".join(wrong.output.split())


def test_shards_are_made_with_the_new_place(moved, tables, tmp_path):
    model, _, new, _ = moved
    made = invoke(
        "generate", model, tables[1], "--out", tmp_path / "shards", "--shard-users", "20", "--checkpoint", new
    )
    assert made.exit_code == 0, made.output


def test_python_takes_the_new_place(moved):
    model, _, new, other = moved
    with pytest.raises(ArtifactError, match="is not where it was"):
        load(model)
    assert load(model, checkpoint=str(new)).recommend([[]], k=3).item_ids
    assert moved_checkpoint(model, [str(other), str(new)]) == str(new.resolve())
    assert moved_checkpoint(new, [str(new)]) is None
