"""Launch files, reporting, and a whole run by torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from support import TINY_TRAINING

from genrec.assets import asset_dir
from genrec.errors import ConfigError
from genrec.generative.config import load_train_config
from genrec.training.arguments import training_arguments

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = asset_dir("presets") / "launch"


@pytest.mark.parametrize(
    ("name", "kind"), [("one-gpu", "NO"), ("ddp", "MULTI_GPU"), ("fsdp2", "FSDP"), ("zero3", "DEEPSPEED")]
)
def test_launch_files_are_what_accelerate_reads(name, kind):
    path = LAUNCH / f"{name}.yaml"
    config = load_config_from_file(str(path))
    assert config.distributed_type == kind
    assert config.mixed_precision == "bf16"
    assert name in path.read_text()


def test_sharded_launches_save_whole_models():
    assert load_config_from_file(str(LAUNCH / "fsdp2.yaml")).fsdp_config["fsdp_version"] == 2
    assert load_config_from_file(str(LAUNCH / "fsdp2.yaml")).fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"
    zero = load_config_from_file(str(LAUNCH / "zero3.yaml")).deepspeed_config
    assert (zero["zero_stage"], zero["zero3_save_16bit_model"]) == (3, True)


def _arguments(tmp_path, *settings):
    config = load_train_config("item-decoder-small", [*TINY_TRAINING, "trainer.use_cpu=true", *settings])
    return training_arguments(config, tmp_path, validates=False)


def test_trainer_settings_pass_through(tmp_path):
    arguments = _arguments(
        tmp_path,
        "trainer.gradient_accumulation_steps=3",
        "trainer.bf16=true",
        "trainer.run_name=first",
        "trainer.gradient_checkpointing=true",
    )
    assert (arguments.gradient_accumulation_steps, arguments.bf16, arguments.run_name) == (3, True, "first")
    assert arguments.gradient_checkpointing
    assert arguments.report_to == []


class _Writer:
    """Stands in for TensorBoard's writer."""

    made = []

    def __init__(self, log_dir):
        self.made.append(self)
        self.log_dir, self.scalars = log_dir, {}

    def add_scalar(self, name, value, step):
        self.scalars.setdefault(name, []).append((step, value))

    def add_text(self, *args):
        pass

    def flush(self):
        pass

    def close(self):
        pass


def test_reports_go_to_tensorboard_and_stay_when_training_is_done(
    tmp_path, monkeypatch, tables, tiny_index, tiny_config
):
    from transformers.integrations import TensorBoardCallback

    from genrec.data import Interactions
    from genrec.training.train import train

    def start(self, tb_writer=None):
        self._SummaryWriter, self.tb_writer, self.logging_dir = _Writer, None, None

    monkeypatch.setattr(TensorBoardCallback, "__init__", start)
    config = tiny_config.model_copy(update={"trainer": {**tiny_config.trainer, "report_to": "tensorboard"}})
    train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "model")
    (writer,) = _Writer.made
    assert writer.log_dir == str(tmp_path / "model.logs")
    assert {"train/loss", "eval/ndcg@10"} <= set(writer.scalars)
    assert not (tmp_path / "model.training").exists()


@pytest.mark.parametrize("name", ["wandb", "abacus"])
def test_reports_that_cannot_be_made_are_said_before_training(tmp_path, monkeypatch, name):
    from transformers.integrations import integration_utils

    monkeypatch.setattr(integration_utils, "is_wandb_available", lambda: False)
    with pytest.raises(ConfigError, match=f"report to .*{name}"):
        _arguments(tmp_path, f"trainer.report_to={name}")


def _language_model(folder):
    """A tiny Llama with random weights and a tokenizer of its own, as an ordinary folder."""
    import torch
    from text_support import make_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["item-decoder", "language-model"])
def test_torchrun_trains_what_one_process_trains(tmp_path, tables, tiny_index, kind):
    """``torchrun -m genrec train`` end to end: one folder, the same figures, one voice."""
    tiny_index.save(tmp_path / "index")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    settings = [*TINY_TRAINING, "model.dropout=0", "trainer.use_cpu=true"]
    options = ["--config", "item-decoder-small"]
    if kind == "language-model":
        pytest.importorskip("peft")
        settings = [setting for setting in settings if not setting.startswith("model.backbone")]
        checkpoint = _language_model(tmp_path / "llama")
        settings += [f"model.checkpoint={checkpoint}", "model.llm.lora.lora_dropout=0"]
        settings += ["tasks=[{prompt: next-item}, {prompt: title-to-id, schedule: ramp-down}]"]
        options = ["--config", "llm-decoder-lora"]
    metrics, said = {}, {}
    for world in (1, 2):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"] if world > 1 else []
        out = tmp_path / f"model-{world}"
        own = [*settings, f"trainer.per_device_train_batch_size={16 // world}"]
        files = [str(tmp_path / "index"), str(tables[1]), "--out", str(out)]
        done = subprocess.run(
            [
                *[sys.executable, *launcher, "-m", "genrec", "train", *files, *options],
                *[part for setting in own for part in ("--set", setting)],
            ],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        said[world] = done.stdout
        metrics[world] = json.loads((out / "metrics.json").read_text())
    assert metrics[2]["steps"] == metrics[1]["steps"]
    losses = [[entry["loss"] for entry in metrics[world]["log"] if "loss" in entry] for world in (1, 2)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert metrics[2]["validation"] == pytest.approx(metrics[1]["validation"], abs=1e-6)
    assert said[2].count("epoch ") == said[1].count("epoch ")
    if kind == "language-model":
        for text in said.values():
            assert text.count("Task next-item, ") == text.count("Task title-to-id, ") == 1
            assert "The next item is:\n→ <a_" in text
