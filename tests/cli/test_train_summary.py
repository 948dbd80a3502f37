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
