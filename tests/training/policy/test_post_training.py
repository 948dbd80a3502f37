"""From a trained recommender to a post-trained one: --init, settings that it decides, resuming, what is told."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from genrec.artifacts import write_manifest
from genrec.config import parse, read_yaml
from genrec.data import Interactions
from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig, load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.started import started
from genrec.loading import load
from genrec.training.session import TrainingStoppedError
from genrec.training.train import train
from genrec.training.trainer import StopOnRequest

QUICK = [
    "validation.users=20",
    "validation.also=[20]",
    "trainer.per_device_train_batch_size=32",
    "trainer.max_steps=6",
    "trainer.eval_steps=2",
    "trainer.save_steps=2",
    "trainer.learning_rate=0.001",
]
OBJECTIVES = {
    "grpo-item-decoder": ["objective.refresh=3", "objective.rollouts.group=4"],
    "sdpo-item-decoder": ["objective.alternate=2", "objective.negatives=3", "objective.pool=8"],
}


def config_for(preset, folder, *more):
    return load_train_config(preset, [*QUICK, *OBJECTIVES.get(preset, []), f"init={folder}", *more])


OLD = Path(__file__).parents[2] / "fixtures" / "artifacts-0.1"
SHORT = ["trainer.max_steps=2", "trainer.per_device_train_batch_size=4", "validation.users=4"]


class StopAt(StopOnRequest):
    """Stops after a step, as Ctrl-C would."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        self.requested = state.global_step == self.step
        return super().on_step_end(args, state, control, **kwargs)


def weights(recommender):
    return recommender.model.state_dict()


def told(recommender):
    """The log without what depends on the clock."""
    return [
        {key: value for key, value in entry.items() if "second" not in key and "runtime" not in key}
        for entry in recommender.metrics["log"]
        if "train_loss" not in entry
    ]


@pytest.mark.parametrize("preset", sorted(OBJECTIVES))
def test_a_run_that_was_stopped_ends_as_one_that_was_not(preset, trained, tiny_index, tables, tmp_path):
    """In the middle of everything that is remembered: the weights of roll-outs, the reference, sums of the log."""
    interactions, config = Interactions.read(tables[1]), config_for(preset, trained[1])
    whole = train(tiny_index, interactions, config, tmp_path / "whole")
    with pytest.raises(TrainingStoppedError):
        train(tiny_index, interactions, config, tmp_path / "cut", callbacks=[StopAt(5)])
    cut = train(tiny_index, interactions, config, tmp_path / "cut")
    assert told(cut) == told(whole)
    for name, value in weights(whole).items():
        assert torch.equal(weights(cut)[name], value), name


def test_what_is_told_of_a_run(trained, tiny_index, tables, tmp_path):
    config = config_for("exact-reward-item-decoder", trained[1])
    made = train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "out")
    assert made.metrics["start"].keys() == {"ndcg@10", "recall@10", "recall@20", "coverage@10"}
    assert made.metrics["post_training"].keys() == {"reward", "kl"}
    assert made.config.generation.normalize == "children"
    again = GenerativeRecommender.from_pretrained(tmp_path / "out")
    assert again.config.objective["name"] == "exact-reward"
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["post_training"] == made.metrics["post_training"]


def test_the_start_decides_the_network_and_nothing_that_is_learned(trained, tmp_path):
    folder = shutil.copytree(trained[1], tmp_path / "start")
    text = (folder / "config.yaml").read_text()
    evil = "objective:\n  name: grpo\n  rewards:\n  - {name: function, function: 'os:system'}\n"
    (folder / "config.yaml").write_text(text.replace("objective:\n  name: likelihood\n", evil))
    assert "os:system" in (folder / "config.yaml").read_text()
    write_manifest(folder, "recommender.json", json.loads((folder / "recommender.json").read_text()))  # signed again
    config = started(config_for("grpo-item-decoder", folder))
    assert config.model == trained[0].config.model
    assert config.generation.beams == trained[0].config.generation.beams
    assert "os:system" not in str(config.objective)
    assert started(config) == config
    with pytest.raises(ConfigError, match="name Python code"):
        load_train_config(str(folder / "config.yaml"))


def test_an_adapter_goes_on_from_where_it_was(tmp_path):
    """Its base has moved, and is named; the base itself stays as it is."""
    pytest.importorskip("peft")
    folder, base = OLD / "llm-lora", OLD / "llama"
    start = load(folder, checkpoint=str(base))
    config = load_train_config(
        "grpo-llm", [*QUICK, f"init={folder}", f"model.checkpoint={base}", "objective.rollouts.group=4", *SHORT]
    )
    n_items = len(start.index.item_ids)
    histories = Histories.from_lists([[(user + step) % n_items for step in range(5)] for user in range(12)])
    made = train(start.index, histories, config, tmp_path / "out")
    assert made.metrics["steps"] == 2
    learned = [name for name, value in made.model.named_parameters() if value.requires_grad]
    assert learned
    assert all("lora_" in name or "trainable_tokens" in name for name in learned)
    before, after = start.model.state_dict(), made.model.state_dict()
    assert {name for name, value in after.items() if not torch.equal(value, before[name])} <= set(learned)


def test_another_kind_of_network_is_refused(trained):
    with pytest.raises(ConfigError, match=r"another model\.architecture"):
        started(config_for("grpo-seq2seq", trained[1]))


def test_a_file_that_names_no_network_goes_on_from_any(tmp_path):
    path = tmp_path / "longer.yaml"
    path.write_text("trainer: {num_train_epochs: 2}\n", encoding="utf-8")
    kinds = set()
    for start in ("item-decoder", "seq2seq", "llm-lora"):
        found = started(load_train_config(str(path), [f"init={OLD / start}"]))
        kinds.add(found.model.architecture)
        assert found.trainer["num_train_epochs"] == 2
    assert len(kinds) == 3


@pytest.mark.parametrize(
    ("preset", "more"), [("item-decoder-small", []), ("llm-decoder-lora", [f"model.checkpoint={OLD / 'llama'}"])]
)
def test_the_network_is_that_of_the_start_where_only_the_preset_says_otherwise(preset, more, trained, caplog):
    """Nobody has to say again what the network was trained with; what somebody does say is never passed over."""
    folder = OLD / "llm-lora" if more else trained[1]
    own = parse(TrainConfig, read_yaml(folder / "config.yaml"))
    config = load_train_config(preset, [f"init={folder}", *more])
    found = started(config)
    assert found.model != config.model
    assert found.model.model_copy(update={"checkpoint": None}) == own.model.model_copy(update={"checkpoint": None})
    [line] = [record.getMessage() for record in caplog.records]
    assert f"Taken from '{folder}', not from the preset: model." in line
    caplog.clear()
    assert started(found) == found
    assert not caplog.records
    with pytest.raises(ConfigError, match=r"has another model\.max_items"):
        started(load_train_config(preset, [f"init={folder}", *more, "model.max_items=77"]))
    with pytest.raises(ConfigError, match=r"has another model\.llm\.tuning"):
        started(load_train_config(preset, [f"init={folder}", *more, "model.llm.tuning=embeddings-only"]))
