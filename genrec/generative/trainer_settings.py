"""What the fields of transformers' ``TrainingArguments`` may be, known without transformers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from genrec.config import MOST_PROCESSES, MOST_ROUNDS, MOST_STEPS

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Some = Annotated[int, Field(ge=1)]
Every = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Steps, or below 1 a share of the training."""
When = Literal[False, "no", "steps", "epoch"]  # YAML reads the word "no" as false


class TrainerFields(BaseModel):
    """Type and bounds of the fields that most people set; others are transformers' own to check."""

    model_config = ConfigDict(extra="allow", strict=True)

    num_train_epochs: Annotated[float, Field(gt=0, le=MOST_ROUNDS, allow_inf_nan=False)] = 1.0
    max_steps: Annotated[int, Field(ge=-1, le=MOST_STEPS)] = -1
    per_device_train_batch_size: Some = 1
    gradient_accumulation_steps: Some = 1
    learning_rate: Amount = 0.0
    weight_decay: Amount = 0.0
    warmup_steps: Amount = 0.0
    max_grad_norm: Amount = 0.0
    adam_beta1: Share = 0.0
    adam_beta2: Share = 0.0
    adam_epsilon: Amount = 0.0
    eval_strategy: When = "no"
    save_strategy: When | Literal["best"] = "no"
    logging_strategy: When = "no"
    eval_steps: Every | None = None
    save_steps: Every = 1.0
    logging_steps: Every = 1.0
    save_total_limit: Annotated[int, Field(ge=0)] | None = None
    load_best_model_at_end: bool = False
    metric_for_best_model: str | None = None
    greater_is_better: bool | None = None
    dataloader_num_workers: Annotated[int, Field(ge=0, le=MOST_PROCESSES)] = 0


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    TrainerFields.model_validate(given)
    return given


TrainerSettings = Annotated[dict[str, Any], AfterValidator(_checked)]
"""Fields of ``TrainingArguments`` as they were given, of which those that are known here are checked."""
