"""When the weights at the start come back."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from genrec.metrics import ndcg_at
from genrec.training.start import StartingPoint


class Validation:
    """Gives the ranks that were set."""

    def __init__(self, ranks):
        self.ranks = np.asarray(ranks)

    def __call__(self):
        return {"ndcg@10": float(ndcg_at(self.ranks, 10).mean())}


def trainer(model, best, **arguments):
    settings = {"metric_for_best_model": "eval_ndcg@10", "load_best_model_at_end": True, **arguments}
    return SimpleNamespace(
        model=model,
        accelerator=SimpleNamespace(is_main_process=True),
        args=SimpleNamespace(**settings),
        state=SimpleNamespace(best_metric=best),
    )


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ([1] * 10 + [0] * 90, [1] * 30 + [0] * 70, False),  # clearly better
        ([1] * 10 + [0] * 90, [1] * 11 + [0] * 89, True),  # one case more is chance
        ([1] * 10 + [0] * 90, [1] * 5 + [0] * 95, True),  # worse
        ([2] * 1000, [1] * 1000, False),  # every case is better: no chance
    ],
)
def test_an_epoch_must_be_better_beyond_chance(before, after, kept):
    model = torch.nn.Linear(2, 2)
    weight = model.weight.detach().clone()
    validate = Validation(before)
    start = StartingPoint(trainer(model, None), validate)
    torch.nn.init.ones_(model.weight)
    validate.ranks = np.asarray(after)
    made = start.settle(trainer(model, validate()["ndcg@10"]))
    assert ("best_epoch" in made) == kept
    assert torch.equal(model.weight, weight if kept else torch.ones(2, 2))


def test_without_cases_the_mean_decides():
    model, now = torch.nn.Linear(2, 2), {"ndcg@10": 0.1}
    start = StartingPoint(trainer(model, None), lambda: dict(now))
    now["ndcg@10"] = 0.1001
    assert "best_epoch" not in start.settle(trainer(model, 0.1001))
    assert "best_epoch" in start.settle(trainer(model, 0.0999))
    assert "best_epoch" not in start.settle(trainer(model, 0.05, load_best_model_at_end=False))


def test_an_average_must_only_be_better():
    model, validate = torch.nn.Linear(2, 2), Validation([1] * 10 + [0] * 90)
    start = StartingPoint(trainer(model, None), validate, 0.5)
    validate.ranks = np.asarray([1] * 11 + [0] * 89)
    assert "best_epoch" not in start.settle(trainer(model, 0.11))


@pytest.mark.parametrize(("share", "better"), [(0.25, True), (0.25, False), (0.0, True)])
def test_the_start_has_its_share_of_what_is_kept(share, better):
    model = torch.nn.BatchNorm1d(2)  # with a counter, which has no average
    validate = Validation([0] * 100)
    start = StartingPoint(trainer(model, None), validate, share)
    model.weight.data.fill_(5.0)
    model.num_batches_tracked.fill_(7)
    validate.ranks = np.asarray([1 if better else 0] * 100)
    made = start.settle(trainer(model, 1.0))
    expected = (share * 1 + (1 - share) * 5) if better else 1.0
    assert model.weight.tolist() == [expected, expected]
    assert int(model.num_batches_tracked) == (7 if better else 0)
    assert made["validation"]["ndcg@10"] == float(better)
    assert made["start"]["ndcg@10"] == 0
    assert ("best_epoch" in made) == (not better)
    assert made.get("start_share") == (share if better else None)
