"""Objectives by name: what they ask of a network, and how settings name them."""

import subprocess
import sys

import pytest
import torch

from genrec.config import parse
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig
from genrec.training.objectives import build_objective
from genrec.training.session import changes


def test_the_old_switch_and_the_objective_are_one_thing():
    switched = parse(TrainConfig, {"model": {"trie_masked_loss": True}})
    named = parse(TrainConfig, {"objective": {"name": "trie-masked"}})
    for config in (switched, named):
        assert config.objective == {"name": "trie-masked"}
        assert config.generation.normalize == "children"
    assert parse(TrainConfig, {}).objective == {"name": "likelihood"}


def test_a_run_from_before_there_were_objectives_goes_on():
    config = parse(TrainConfig, {"model": {"trie_masked_loss": True}})
    settings = config.model_dump(mode="json", exclude={"generation", "objective"})
    now = {"settings": config.model_dump(mode="json", exclude={"generation"})}
    assert changes({"settings": settings}, now) == []


def test_the_loss_is_restricted_to_the_trie_where_that_is_asked_for(tiny_model, tiny_index, tiny_config):
    model = tiny_model("item-decoder", tiny_index.codebook_sizes)
    codes = torch.from_numpy(tiny_index.codes[None, :5]).long()
    batch = {"codes": codes, "mask": torch.ones(1, 5, dtype=torch.bool)}
    losses = {}
    for name in ("likelihood", "trie-masked"):
        objective = build_objective({"name": name})
        objective.prepare(model, tiny_index, tiny_config)
        losses[name] = float(objective.loss(lambda rows: model(**rows), batch).loss.detach())
    assert losses["trie-masked"] < losses["likelihood"] - 0.1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "has no name"),
        ({"name": "likelyhood"}, "likelihood"),
        ({"name": "likelihood", "temperature": 2}, "temperature"),
    ],
)
def test_wrong_settings_are_named(content, says):
    with pytest.raises(ConfigError, match=says):
        build_objective(content)


def test_names_are_known_without_torch():
    code = "from genrec.training.objectives import OBJECTIVES; import sys; print(*OBJECTIVES, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    assert {"exact-reward", "grpo", "likelihood", "sdpo", "trie-masked"} <= {*names}
    assert names[-1] == "False"
