"""Checkpoints of a stopped run that somebody or something changed: left out, or one error; nothing of them is run."""

import json
import pickle
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from genrec.artifacts.failures import in_words
from genrec.errors import ArtifactError
from genrec.training.checkpoints import gone_on_with, require_fitting, usable_checkpoint
from genrec.training.trainer import RecommenderTrainer

STATE = {"global_step": 5, "max_steps": 6, "epoch": 1.0, "log_history": [{"loss": 2.0}], "train_batch_size": 16}


def checkpoint(folder, step, state):
    place = folder / f"checkpoint-{step}"
    place.mkdir(parents=True)
    save_file({"a": torch.zeros(10)}, place / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"a": torch.zeros(10)}, place / name)
    (place / "trainer_state.json").write_text(json.dumps(state))
    return place


@pytest.mark.parametrize(
    "wrong",
    [
        *(None, [], 5, "x"),
        *({"global_step": one} for one in ("x", -1, 1.5, None, 10**30)),
        *({"train_batch_size": one} for one in (None, 0, "x")),
        *({"log_history": one} for one in ("x", [5], None)),
        *({"best_model_checkpoint": one} for one in ("/etc", 5)),
        *({"best_metric": "x"}, {"epoch": "x"}, {"max_steps": "x"}, {"stateful_callbacks": 5}, {"extra": 1}),
    ],
)
def test_a_state_that_cannot_be_is_left_out(wrong, tmp_path):
    good = checkpoint(tmp_path, 5, {**STATE, "best_model_checkpoint": "runs/checkpoints/checkpoint-5"})
    bad = checkpoint(tmp_path, 6, {**STATE, **wrong} if isinstance(wrong, dict) else wrong)
    assert usable_checkpoint(tmp_path) == str(good)
    assert not bad.exists()


@pytest.mark.parametrize("keep", [0, 1, -1])
def test_states_of_chance_are_whole_too(keep, tmp_path):
    good, bad = checkpoint(tmp_path, 5, STATE), checkpoint(tmp_path, 6, STATE)
    content = (bad / "rng_state.pth").read_bytes()
    (bad / "rng_state.pth").write_bytes(content[:keep])
    assert usable_checkpoint(tmp_path) == str(good)


def test_states_of_an_optimizer_have_the_shapes_of_their_weights():
    weight = torch.zeros(4, 3)
    require_fitting({weight: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(4, 3), "row": torch.zeros(4), "n": 2}})
    for name, value in (("exp_avg", torch.zeros(12)), ("exp_avg_sq", torch.zeros(4, 4)), ("step", torch.zeros(2))):
        with pytest.raises(ValueError, match=f"'{name}' does not fit the weights"):
            require_fitting({weight: {name: value}})


def test_what_is_wrong_is_told_with_the_checkpoint():
    for error, said in (
        (pickle.UnpicklingError("set weights_only to False"), "objects of Python, which are never read"),
        (json.JSONDecodeError("x", "{", 1), "no JSON"),
        (ValueError("its optimizer's 'exp_avg' does not fit the weights"), "does not fit the weights"),
    ):
        with pytest.raises(ArtifactError, match=said) as told, gone_on_with("m.training/checkpoint-5"):
            raise error
        assert told.value.where == "m.training/checkpoint-5"
        assert "goes on from the checkpoint before" in told.value.hint
    assert "weights_only" not in in_words(pickle.UnpicklingError("set weights_only to False"))


def test_weights_of_another_network_are_not_gone_on_with():
    trainer = SimpleNamespace(model=SimpleNamespace(save_training_state=None))
    found = SimpleNamespace(unexpected_keys=["other.weight"], missing_keys=["own.weight"])
    with pytest.raises(ValueError, match=r"the network does not have, such as other\.weight"):
        RecommenderTrainer._issue_warnings_after_load(trainer, found)
