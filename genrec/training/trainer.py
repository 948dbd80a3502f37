"""transformers' Trainer with bucketed batches and validation by real recommendations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from genrec.generative.config import TrainConfig
from genrec.models.base import CodeModel
from genrec.models.outputs import CodeModelOutput
from genrec.models.quiet import quiet_loading
from genrec.training.arguments import training_arguments
from genrec.training.checkpoints import (
    gone_on_with,
    keep_objective,
    require_fitting,
    restore_objective,
    usable_checkpoint,
    whole_or_gone,
)
from genrec.training.distributed import RankBatches, agreed, anyone, weighted_loss
from genrec.training.divergence import DivergenceGuard
from genrec.training.loss_meter import LossMeter, Patience
from genrec.training.objectives import build_objective
from genrec.training.objectives.base import Objective
from genrec.training.pace import Pace
from genrec.training.row_parts import is_text, row_parts

logger = logging.getLogger(__name__)

Validate = Callable[[], dict[str, float]]
"""Recommends with the model in training for the validation sample; returns metrics such as ``ndcg@10``."""


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
        loss = self._step_in_parts(*args, **kwargs)
        self.objective.end_step()
        batch = kwargs.get("inputs", args[1] if len(args) > 1 else {})
        self.pace.end(batch if isinstance(batch, Mapping) else {})
        self._guard.check_loss(loss, self)
        self._meter.add(loss, self.state)
        return loss

    def _step_in_parts(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """The step of a batch, part by part where its texts are many and the model counts targets over micro-batches.

        Several processes read their batches whole: they exchange gradients at every way back, as often as one another.
        """
        whole, told = super().training_step, self.model_accepts_loss_kwargs and num_items_in_batch is not None
        if not (told and is_text(inputs) and self.args.world_size == 1 and self.args.device.type == "cpu"):
            return whole(model, inputs, num_items_in_batch)
        losses = [whole(model, part, num_items_in_batch) for part in row_parts(inputs)]
        return torch.stack(losses).sum()

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log; losses are means over all steps since the last log, also where a run was stopped in between."""
        self._meter.fill(logs, self.state, self._mean)
        if "loss" in logs:
            logs.update({name: self._mean(value) for name, value in self.objective.figures().items()})
        super().log(logs, *args, **kwargs)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self._meter.keep(self.state, self._mean)
        folder = Path(self.args.output_dir or "") / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        with quiet_loading(), whole_or_gone(folder):
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
        with gone_on_with(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            restore_objective(self.objective, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with gone_on_with(checkpoint or ""):
            super()._load_optimizer_and_scheduler(checkpoint)
            if checkpoint is not None and self.optimizer is not None:
                require_fitting(self.optimizer.state)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with gone_on_with(checkpoint or ""):
            super()._load_rng_state(checkpoint)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        if load_result.unexpected_keys:
            raise ValueError(
                f"it holds weights that the network does not have, such as {load_result.unexpected_keys[0]}"
            )
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
    stops = validate is not None and arguments.eval_strategy != "no"
    more = [Patience(config.validation.patience)] if stops else []
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
