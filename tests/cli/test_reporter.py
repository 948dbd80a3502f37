from types import SimpleNamespace

import torch

from genrec.cli.reporter import Reporter
from genrec.training.pace import Pace

STATE = SimpleNamespace(epoch=1.0, global_step=0, max_steps=1, num_train_epochs=1)


def test_a_loss_is_shown_once_there_is_one(capsys):
    reporter = Reporter()
    reporter.on_log(None, STATE, None, {"eval_ndcg@10": 0.25})
    reporter.on_log(None, STATE, None, {"loss": 0.0001234})
    reporter.on_log(None, STATE, None, {"eval_ndcg@10": 0.5})
    first, second = capsys.readouterr().out.splitlines()
    assert "loss" not in first
    assert "ndcg@10 0.2500" in first
    assert "loss 0.0001234" in second


def test_one_step_is_one_step(capsys):
    Reporter().on_train_begin(None, STATE, None)
    assert capsys.readouterr().out == "1 step in 1 epoch at most.\n"


def test_a_line_says_the_pace_and_the_time_left(capsys):
    now = [0.0]
    reporter = Reporter(clock=lambda: now[0])
    model = SimpleNamespace(packs=True)
    reporter.on_train_begin(None, SimpleNamespace(global_step=10, max_steps=50, num_train_epochs=2), None, model=model)
    reporter.pace = pace = Pace(clock=lambda: now[0])
    pace.begin()
    now[0] += 30
    pace.end({"attention_mask": torch.ones(3, 10)})
    state = SimpleNamespace(epoch=1.0, global_step=20, max_steps=50)
    arguments = SimpleNamespace(world_size=1)
    reporter.on_step_end(arguments, state, SimpleNamespace())
    now[0] += 90
    for _ in range(2):  # once, early in a run without a terminal
        reporter.on_step_end(arguments, state, SimpleNamespace())
    reporter.on_log(None, state, None, {"eval_ndcg@10": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[2].rpartition(",")[0] for line in lines[1:]] == [
        "2 min 00 s, 6 min 00 s left at most, 1 tokens a second, padding not read"
    ] * 2
    assert lines[1].startswith("step 20 of 50")
