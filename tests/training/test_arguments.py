"""Settings of transformers' Trainer: what cannot be is refused before anything is read, with the key that says it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from transformers import T5Config

from genrec.config import parse
from genrec.errors import ConfigError
from genrec.generative.config import TrainConfig, load_train_config
from genrec.models.parts import build_backbone
from genrec.models.seq2seq import NO_WORDS
from genrec.training.arguments import check_arguments, training_arguments

WRONG = [
    ("learning_rate", "abc"),
    ("learning_rate", -1),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("learning_rate", None),
    ("num_train_epochs", "abc"),
    ("num_train_epochs", -3),
    ("num_train_epochs", 0),
    ("max_steps", "abc"),
    ("max_steps", 2.5),
    ("max_steps", -2),
    ("max_steps", True),
    ("per_device_train_batch_size", 0),
    ("gradient_accumulation_steps", 0),
    ("weight_decay", -1),
    ("warmup_steps", -1),
    ("max_grad_norm", -1),
    ("adam_beta1", 2),
    ("adam_beta2", 1),
    ("dataloader_num_workers", -1),
    ("eval_steps", 0),
    ("eval_strategy", "maybe"),
    ("save_strategy", "maybe"),
    ("save_total_limit", -1),
    ("load_best_model_at_end", "yes"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_that_cannot_be_names_its_key(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(TrainConfig, {"trainer": {name: value}}, where="mine.yaml")
    assert f"trainer.{name}" in str(caught.value.where)


def test_values_stay_as_they_were_given() -> None:
    given = {"learning_rate": 1, "warmup_steps": 0.1, "optim": "adamw_torch", "eval_strategy": False}
    assert parse(TrainConfig, {"trainer": dict(given)}).trainer == given


def test_a_field_that_transformers_lacks_has_a_nearest_one() -> None:
    with pytest.raises(ConfigError, match="learnin_rate") as caught:
        check_arguments(TrainConfig(trainer={"learnin_rate": 0.1}))
    assert "'learning_rate'" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["output_dir", "seed", "resume_from_checkpoint", "push_to_hub", "torch_compile"])
def test_fields_of_genrec_are_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_arguments(TrainConfig(trainer={name: 1 if name == "seed" else True}))
    assert caught.value.where == f"trainer.{name}"
    assert caught.value.hint


def test_fields_of_genrec_may_say_what_holds_anyway() -> None:
    check_arguments(TrainConfig(trainer={"torch_compile": False, "push_to_hub": False, "remove_unused_columns": False}))


def test_the_worst_epoch_is_never_kept() -> None:
    check_arguments(TrainConfig(trainer={"greater_is_better": True}))
    with pytest.raises(ConfigError, match="own"):
        check_arguments(TrainConfig(trainer={"greater_is_better": False}))


@pytest.mark.parametrize("name", ["loss", "ndcg@20", "eval_loss"])
def test_a_figure_that_validation_lacks_is_refused_before_the_first_epoch(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_arguments(TrainConfig(trainer={"metric_for_best_model": name}))
    assert caught.value.expected == "ndcg@10 or recall@10"


def test_figures_of_validation_are_known() -> None:
    judged = {"k": 5, "also": [50]}
    for name in ("ndcg@5", "recall@5", "recall@50", "eval_ndcg@5"):
        check_arguments(parse(TrainConfig, {"validation": judged, "trainer": {"metric_for_best_model": name}}))


@pytest.mark.parametrize("off", [{"eval_strategy": "no"}, {"save_strategy": False}])
def test_without_validation_or_checkpoints_the_last_weights_are_kept(off: dict[str, Any], tmp_path: Path) -> None:
    made = training_arguments(TrainConfig(trainer=off), tmp_path, validates=True)
    assert made.load_best_model_at_end is False
    with pytest.raises(ConfigError, match="would not be kept"):
        training_arguments(TrainConfig(trainer={**off, "load_best_model_at_end": True}), tmp_path, validates=True)


def test_checkpoints_go_with_validations(tmp_path: Path) -> None:
    config = TrainConfig(trainer={"eval_strategy": "steps"})
    with pytest.raises(ConfigError) as caught:
        training_arguments(config, tmp_path, validates=True)
    assert caught.value.where == "trainer.save_strategy"
    config = TrainConfig(trainer={"eval_strategy": "steps", "eval_steps": 5, "save_strategy": "best"})
    assert training_arguments(config, tmp_path, validates=True).load_best_model_at_end


def test_all_presets_pass() -> None:
    for path in sorted(Path("genrec/presets").glob("*.yaml")):
        if path.stem != "recgpt-pretrain":
            check_arguments(load_train_config(path.stem))


class _Words(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def test_no_network_warns_of_words_that_it_does_not_have() -> None:
    tiny = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    words, logger = _Words(), logging.getLogger("transformers")
    logger.warning_once.cache_clear()
    logger.addHandler(words)
    try:
        for kind in ("qwen3", "llama", "gpt2", "gemma", "opt"):
            build_backbone({"model_type": kind, **tiny}, 0.1)
        T5Config(d_model=8, **NO_WORDS, decoder_start_token_id=0)
    finally:
        logger.removeHandler(words)
    assert words.said == []
