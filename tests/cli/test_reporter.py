from types import SimpleNamespace

from genrec.cli.reporter import Reporter

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
