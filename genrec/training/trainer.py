"""transformers' Trainer with bucketed batches and validation by real recommendations."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from genrec.errors import ConfigError
from genrec.generative.config import DEFAULT_EPOCHS, TrainConfig
from genrec.models.base import CodeModel
from genrec.models.outputs import CodeModelOutput
from genrec.models.quiet import quiet_loading
from genrec.training.checkpoints import keep_objective, restore_objective, usable_checkpoint
from genrec.training.distributed import RankBatches, agreed, anyone, weighted_loss
from genrec.training.divergence import DivergenceGuard
from genrec.training.loss_meter import LossMeter, Patience
from genrec.training.objectives import build_objective
from genrec.training.objectives.base import Objective
from genrec.training.pace import Pace

logger = logging.getLogger(__name__)

Validate = Callable[[], dict[str, float]]
"""Recommends with the model in training for the validation sample; returns metrics such as ``ndcg@10``."""

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


class RecommenderTrainer(Trainer):
    """Trainer whose evaluation generates recommendations and whose batches hold rows of similar length."""

    def __init__(
        self,
        *args: Any,
        validate: Validate | None = None,
        sampler: Sampler[int],
        objective: Objective,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.objective: Objective = objective
        # A mean over examples is the same in every micro-batch, so transformers may average them.
        self.model_accepts_loss_kwargs = self.model_accepts_loss_kwargs and objective.over_targets
        self._validate_recommendations = validate
        self.train_sampler = sampler
        self._guard, self._meter = DivergenceGuard.of(self.args), LossMeter()
        self.pace = Pace()

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.train_sampler

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """A step of transformers; a loss that is no number ends training before it reaches the weights."""
        self.pace.begin()
        self.objective.begin_step(self.state.global_step)
        loss = super().training_step(*args, **kwargs)
        self.objective.end_step()
        batch = kwargs.get("inputs", args[1] if len(args) > 1 else {})
        self.pace.end(batch if isinstance(batch, Mapping) else {})
        self._guard.check_loss(loss, self)
        self._meter.add(loss, self.state)
        return loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log; losses are means over all steps since the last log, also where a run was stopped in between."""
        self._meter.fill(logs, self.state, self._mean)
        if "loss" in logs:
            logs.update({name: self._mean(value) for name, value in self.objective.figures().items()})
        super().log(logs, *args, **kwargs)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self._meter.keep(self.state, self._mean)
        with quiet_loading():
            super()._save_checkpoint(*args, **kwargs)

    def _mean(self, value: float) -> float:
        """Mean over processes."""
        if self.args.world_size == 1:
            return value
        gathered: Any = self.accelerator.gather(torch.tensor([value], dtype=torch.float64, device=self.args.device))
        return float(gathered.mean())

    def restore_good(self) -> bool:
        """Put the weights of the best epoch so far, or of the newest checkpoint, back into the model, if there are."""
        best = self.state.best_model_checkpoint
        good = best if best and Path(best).is_dir() else usable_checkpoint(Path(self.args.output_dir or ""))
        if good is None:
            return False
        self.state.best_model_checkpoint = good  # only finite weights are ever saved
        self._load_best_model()
        return True

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        self._guard.check_weights(self)
        if not hasattr(self.model, "save_training_state"):
            super()._save(output_dir, state_dict)
        elif self.args.should_save:  # a large frozen network is not written again and again
            cast(Any, self.model).save_training_state(output_dir or self.args.output_dir, state_dict)

        if self.args.should_save:
            keep_objective(self.objective, Path(output_dir or self.args.output_dir or ""))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        restore_objective(self.objective, Path(resume_from_checkpoint))

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        if not hasattr(self.model, "save_training_state"):
            super()._issue_warnings_after_load(load_result)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Metrics of recommendations for the validation sample, each with the prefix ``eval_``."""
        if self._validate_recommendations is None:
            return {}
        self._guard.check_weights(self)
        measured = agreed(self._validate_recommendations, cast(Any, self.model), self.accelerator)
        metrics = {f"eval_{name}": value for name, value in measured.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches of this process; several processes cut the batches that one would read, and repeat no row."""
        if self.args.world_size == 1:
            return super().get_train_dataloader()
        batches = RankBatches(self.train_sampler, self._train_batch_size, self.args.world_size, self.args.process_index)
        rows: Any = self.train_dataset
        loader: DataLoader[Any] = DataLoader(
            rows,
            batch_sampler=batches,  # type: ignore[arg-type]
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            persistent_workers=self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
        )
        # One "process": the batches are this one's already.
        return prepare_data_loader(loader, self.args.device, num_processes=1, process_index=0, put_on_device=True)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The objective's loss; with several processes every target counts the same, not every process."""
        whole = super().compute_loss

        def forward(batch: dict[str, Any]) -> CodeModelOutput:
            scaled, output = whole(model, batch, True, num_items_in_batch)
            output.loss = scaled
            return cast(CodeModelOutput, output)

        outputs = self.objective.loss(forward, inputs)
        loss, n_targets = outputs.loss, outputs.n_targets
        # Models that are told the number of all targets have divided by it already.
        told = self.model_accepts_loss_kwargs and num_items_in_batch is not None
        if self.args.world_size > 1 and loss is not None and n_targets is not None and not told:
            loss = weighted_loss(loss, n_targets, self.accelerator)
        return (loss, outputs) if return_outputs else loss


class StopOnRequest(TrainerCallback):
    """Ends training after the current step, with a checkpoint, once :attr:`requested` is set (Ctrl-C in the CLI)."""

    def __init__(self) -> None:
        self.requested = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Ask the trainer to save and stop."""
        if self.requested if args.world_size == 1 else anyone(self.requested):
            self.requested = True
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Leave out the validation that ends an epoch: an uninterrupted run has none here, and could end otherwise."""
        if self.requested:
            control.should_evaluate = control.should_save = control.should_log = False
        return control


_SMALLEST_BATCH = 16


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
    batch = int(given.get("per_device_train_batch_size", TrainingArguments.per_device_train_batch_size))
    wanted = max(_SMALLEST_BATCH, int(rows * epochs / (config.min_steps * shares)))
    changed = {"per_device_train_batch_size": wanted} if wanted < batch else {}
    steps = int(-(-rows // (min(batch, wanted) * shares)) * epochs)
    if steps < 5 * float(given.get("warmup_steps", 0)):
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
        settings.update(eval_strategy="no", load_best_model_at_end=False)
        settings.pop("metric_for_best_model")
    settings.update(output_dir=str(folder), seed=config.seed, data_seed=config.seed)
    settings.update(enough_steps(config, rows, int(os.environ.get("WORLD_SIZE", "1"))))
    try:
        arguments = TrainingArguments(**settings)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"transformers refuses the trainer settings: {error}", where="trainer") from None
    _check_reporting(arguments)
    return arguments


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


def build_trainer(
    model: CodeModel,
    examples: Any,
    collator: Callable[[list[Any]], Mapping[str, Any]],
    config: TrainConfig,
    folder: Path,
    *,
    sampler: Callable[[int], Sampler[int]] | None = None,
    validate: Validate | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    objective: Objective | None = None,
) -> RecommenderTrainer:
    """A trainer that keeps its checkpoints in ``folder``.

    Args:
        model: Network to fit, in place.
        examples: Training rows.
        collator: Makes batches.
        config: Settings of the run.
        folder: For checkpoints.
        sampler: Gives the order of the rows from the rows of a batch over all processes; None: that of the examples.
        validate: Generated validation; None trains for all epochs without it.
        callbacks: More transformers callbacks (progress, logging).
        objective: What is made smaller; None: the network's own loss.
    """
    arguments = training_arguments(config, folder, validates=validate is not None, rows=len(examples))
    batch = arguments.train_batch_size * arguments.world_size
    make = sampler or partial(examples.sampler, pool=config.examples.bucket_pool, seed=config.seed)
    more = [Patience(config.validation.patience)] if validate is not None else []
    trainer = RecommenderTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        eval_dataset=examples if validate is not None else None,  # asked for by transformers, never read
        data_collator=collator,
        callbacks=[*more, *callbacks],
        validate=validate,
        sampler=make(batch),
        objective=objective or build_objective({"name": "likelihood"}),
    )
    # transformers prints a line per log entry when its bars are off; the command line shows progress itself.
    from transformers.integrations import TensorBoardCallback
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    for one in callbacks:
        if hasattr(one, "pace"):
            one.pace = trainer.pace
    for callback in trainer.callback_handler.callbacks:
        # Beside the output folder: the folder of checkpoints goes away when training is done.
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder.parent.with_suffix(".logs"))
    return trainer


def set_seed(seed: int) -> None:
    """Seed Python, numpy and torch."""
    from transformers import set_seed as seed_all

    seed_all(seed)
    torch.use_deterministic_algorithms(False)
