"""Arguments of transformers' Trainer from the ``trainer`` settings of a run."""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from genrec.errors import ConfigError
from genrec.generative.config import DEFAULT_EPOCHS, TrainConfig

DEFAULTS: dict[str, Any] = {
    "num_train_epochs": DEFAULT_EPOCHS,
    "per_device_train_batch_size": 256,
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 200,
    "adam_beta2": 0.98,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "logging_strategy": "epoch",
    "save_total_limit": 2,
    "load_best_model_at_end": True,
    "greater_is_better": True,
    "report_to": "none",
    "disable_tqdm": True,
    "remove_unused_columns": False,
    "dataloader_num_workers": 0,
    "dataloader_pin_memory": False,
}
_SMALLEST_BATCH = 16
_OWN = {
    "output_dir": "Checkpoints lie beside the recommender, in the folder that training is given.",
    "seed": "Set seed, without trainer before it.",
    "data_seed": "Set seed, without trainer before it.",
    "resume_from_checkpoint": "The same command goes on where it was stopped.",
    "push_to_hub": "Push the finished recommender: recommender.push_to_hub(...).",
    "greater_is_better": "Every figure of validation is better where it is greater.",
    "remove_unused_columns": "Batches hold what the networks read.",
    "torch_compile": "The networks run kernels of their own, which torch cannot compile.",
}
"""Fields that are not the caller's to set, with what to do."""
_OFF = {"resume_from_checkpoint": None, "push_to_hub": False, "torch_compile": False}
"""What holds of them anyway, beside :data:`DEFAULTS`; it may be said."""


def check_arguments(config: TrainConfig) -> None:
    """Refuse ``trainer`` settings that training would refuse, before anything is read or built.

    Raises:
        ConfigError: A field is unknown, is not the caller's to set, or has a value that cannot be.
    """
    known = {field.name for field in fields(TrainingArguments) if field.init}
    for name, value in config.trainer.items():
        if name in _OWN and value != (DEFAULTS | _OFF).get(name, object()):
            raise ConfigError("This field of the trainer is genrec's own.", where=f"trainer.{name}", hint=_OWN[name])
        if name not in known:
            near = get_close_matches(str(name), sorted(known), n=1)
            raise ConfigError(
                f"transformers knows no training argument {name!r}.",
                where=f"trainer.{name}",
                expected="a field of transformers.TrainingArguments",
                hint=f"Did you mean {near[0]!r}?" if near else None,
            )
    with tempfile.TemporaryDirectory() as folder:
        training_arguments(config, Path(folder), validates=True)


def enough_steps(config: TrainConfig, rows: int, processes: int) -> dict[str, Any]:
    """What of the ``trainer`` settings changes where few rows would give fewer than ``config.min_steps`` steps.

    Batches get smaller, down to 16 rows; and warming up takes a fifth of the steps at most, so that a small shop's
    network does not end before it has begun to learn. Enough rows change nothing.

    Args:
        config: Settings of the run.
        rows: Training rows.
        processes: That share a batch.
    """
    given, epochs = config.trainer, config.epochs
    if not config.min_steps or not rows or int(given.get("max_steps", -1)) > 0:
        return {}
    shares = processes * int(given.get("gradient_accumulation_steps", 1))
    batch = int(given.get("per_device_train_batch_size", DEFAULTS["per_device_train_batch_size"]))
    wanted = max(_SMALLEST_BATCH, int(rows * epochs / (config.min_steps * shares)))
    changed = {"per_device_train_batch_size": wanted} if wanted < batch else {}
    steps = int(-(-rows // (min(batch, wanted) * shares)) * epochs)
    if steps < 5 * float(given.get("warmup_steps", DEFAULTS["warmup_steps"])):
        changed["warmup_steps"] = steps // 5
    return changed


def training_arguments(config: TrainConfig, folder: Path, *, validates: bool, rows: int = 0) -> TrainingArguments:
    """``TrainingArguments`` from the defaults of genrec and the ``trainer`` settings.

    Args:
        config: Settings of the run.
        folder: For checkpoints.
        validates: Whether there is validation.
        rows: Training rows, see :func:`enough_steps`.

    Raises:
        ConfigError: transformers does not know or refuses an option.
    """
    given = {  # YAML reads the word "no" as false; as a strategy it is a word
        name: "no" if value is False and name.endswith("_strategy") else value for name, value in config.trainer.items()
    }
    settings = {**DEFAULTS, "metric_for_best_model": f"ndcg@{config.validation.k}", **given}
    if settings["eval_strategy"] == "steps" and "logging_strategy" not in config.trainer:
        # a validation is shown with the loss of the steps before it
        settings["logging_strategy"] = "steps"
        settings.setdefault("logging_steps", settings.get("eval_steps", TrainingArguments.logging_steps))
    if not validates:
        settings["eval_strategy"] = "no"
        settings.pop("metric_for_best_model")
    if not validates or ("load_best_model_at_end" not in given and "no" in _strategies(settings)):
        settings["load_best_model_at_end"] = False  # there is no best one, or it is not kept
    _check_best(config, settings)
    settings.update(output_dir=str(folder), seed=config.seed, data_seed=config.seed)
    settings.update(enough_steps(config, rows, int(os.environ.get("WORLD_SIZE", "1"))))
    try:
        arguments = TrainingArguments(**settings)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"transformers refuses the trainer settings: {error}", where="trainer") from None
    _check_reporting(arguments)
    return arguments


def _strategies(settings: dict[str, Any]) -> tuple[str, str]:
    return str(settings["eval_strategy"]), str(settings["save_strategy"])


def _check_best(config: TrainConfig, settings: dict[str, Any]) -> None:
    """The best weights are those of a checkpoint, so one is kept wherever there is a validation."""
    metric, judged = settings.get("metric_for_best_model"), config.validation
    figures = [f"ndcg@{judged.k}", *(f"recall@{k}" for k in dict.fromkeys((judged.k, *judged.also)))]
    if metric is not None and str(metric).removeprefix("eval_") not in figures:
        raise ConfigError(
            f"Validation does not measure {metric!r}.",
            where="trainer.metric_for_best_model",
            expected=" or ".join(figures),
        )
    validates, saves = _strategies(settings)
    if not settings["load_best_model_at_end"] or saves == "best":
        return
    if validates != saves:
        raise ConfigError(
            f"Checkpoints are kept by {saves!r} and validation is by {validates!r}, so the best one would not be kept.",
            where="trainer.save_strategy",
            expected=f"{validates}, as trainer.eval_strategy, or best",
            hint="Or set trainer.load_best_model_at_end=false: then the last weights are kept.",
        )


def _check_reporting(arguments: TrainingArguments) -> None:
    from transformers.integrations import get_reporting_integration_callbacks

    try:
        for callback in get_reporting_integration_callbacks(arguments.report_to):
            callback()
    except (ValueError, RuntimeError, ImportError) as error:
        raise ConfigError(
            f"Training cannot report to {arguments.report_to}: {error}",
            where="trainer.report_to",
            expected="none, tensorboard, wandb or another integration of transformers whose package is installed",
        ) from None
