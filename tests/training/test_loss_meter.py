from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerState

from genrec.data.interactions import Interactions
from genrec.generative.config import TrainConfig, load_train_config
from genrec.training.arguments import training_arguments
from genrec.training.loss_meter import LossMeter, Patience
from genrec.training.session import TrainingStoppedError
from genrec.training.train import train
from genrec.training.trainer import StopOnRequest


class StopAt(StopOnRequest):
    """Stops after a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        self.requested = state.global_step == self.step
        return super().on_step_end(args, state, control, **kwargs)


def losses(recommender):
    return [
        (entry["step"], key, entry[key])
        for entry in recommender.metrics["log"]
        for key in ("loss", "train_loss")
        if key in entry
    ]


@pytest.mark.parametrize("stops", [[2], [4], [1, 3, 8]])
def test_a_stopped_run_logs_the_losses_of_an_uninterrupted_one(
    stops, trained, tables, tiny_index, tiny_config, tmp_path
):
    interactions = Interactions.read(tables[1])
    for step in stops:
        with pytest.raises(TrainingStoppedError):
            train(tiny_index, interactions, tiny_config, tmp_path / "model", callbacks=[StopAt(step)])
    resumed = train(tiny_index, interactions, tiny_config, tmp_path / "model")
    whole = losses(trained[0])
    assert len(whole) == 3  # two epochs, and all of them
    assert [entry[:2] for entry in losses(resumed)] == [entry[:2] for entry in whole]
    assert [entry[2] for entry in losses(resumed)] == pytest.approx([entry[2] for entry in whole], rel=1e-6)


def test_means_are_over_the_steps_since_the_last_log():
    meter, state = LossMeter(), TrainerState()
    logged = []
    for step, loss in enumerate((3.0, 1.0, 8.0), start=1):
        meter.add(torch.tensor(loss), state)
        state.global_step = step
        if step == 2:
            logged.append({"loss": -1.0})
            meter.fill(logged[-1], state, lambda value: value)
    meter.keep(state, lambda value: value)
    other = LossMeter()  # another process, that continues
    other.add(torch.tensor(4.0), state)
    state.global_step = 4
    logs = {"loss": -1.0, "train_loss": -1.0, "eval_ndcg@10": 0.5}
    other.fill(logs, state, lambda value: value)
    assert logged == [{"loss": 2.0}]
    assert logs == {"loss": 6.0, "train_loss": 4.0, "eval_ndcg@10": 0.5}


@pytest.mark.parametrize(
    ("values", "since"), [([], 0), ([0.1], 0), ([0.1, 0.3, 0.2, 0.3], 2), ([0.3, 0.1, 0.4], 0), ([0.3, 0.1, 0.2], 2)]
)
def test_a_resumed_run_knows_how_long_it_has_been_patient(values, since):
    patience = Patience(3)
    arguments = SimpleNamespace(
        metric_for_best_model="ndcg@10",
        greater_is_better=True,
        load_best_model_at_end=True,
        eval_strategy="epoch",
    )
    state = TrainerState(log_history=[{"loss": 1.0}, *({"eval_ndcg@10": value} for value in values)])
    patience.on_train_begin(arguments, state, None)
    assert patience.early_stopping_patience_counter == since


def test_a_validation_every_few_steps_comes_with_the_loss_of_these_steps(tmp_path):
    config = TrainConfig(trainer={"eval_strategy": "steps", "eval_steps": 7, "save_strategy": "steps", "save_steps": 7})
    arguments = training_arguments(config, tmp_path, validates=True)
    assert (arguments.logging_strategy, arguments.logging_steps) == ("steps", 7)
    own = config.model_copy(update={"trainer": {**config.trainer, "logging_strategy": "steps", "logging_steps": 3}})
    assert training_arguments(own, tmp_path, validates=True).logging_steps == 3
    assert training_arguments(TrainConfig(), tmp_path, validates=True).logging_strategy == "epoch"


def test_a_strategy_that_is_no_is_a_word_though_yaml_reads_it_as_false(tmp_path):
    config = load_train_config("item-decoder-small", ["trainer.save_strategy=no", "trainer.load_best_model_at_end=no"])
    arguments = training_arguments(config, tmp_path, validates=True)
    assert arguments.save_strategy == "no"
    assert arguments.load_best_model_at_end is False
