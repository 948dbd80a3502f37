import pytest

from genrec.cli.train import _reached


def test_training_that_ended_before_its_first_validation_has_a_summary():
    made = _reached({"validation": {}, "best_epoch": None})
    assert made == {"validation": "none"}
    learned = {"metric": "ndcg@10", "together": 0.25, "cases": 48}
    made = _reached({"validation": {}, "best_epoch": None, "learned": learned})
    assert made == {"validation": "NDCG@10 0.2500, the network alone (the last step, 48 cases)"}


def test_the_epoch_that_was_kept_is_named():
    made = _reached({"validation": {"ndcg@10": 0.25}, "best_epoch": 3.0})
    assert made == {"validation": "ndcg@10 0.2500 (epoch 3, generated)"}


@pytest.mark.parametrize(
    ("epoch", "name"), [(0, "epoch 0"), (0.3002, "epoch 0.3"), (0.004, "epoch 0.004"), (9.96, "epoch 10")]
)
def test_parts_of_an_epoch_are_told_from_the_start(epoch, name):
    made = _reached({"validation": {"ndcg@10": 0.25}, "best_epoch": epoch, "start_share": 0})
    assert made == {"validation": f"ndcg@10 0.2500 ({name}, generated)"}
