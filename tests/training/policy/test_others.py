"""What a network reads in post-training never holds the item that it is asked for, whatever the network."""

import numpy as np
import pytest
import torch
from networks import DIM, NETWORKS, SIZES, tiny_index
from policies import TRAIN, apart, gradient, learn, objective_for, rows
from support import QWEN

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.generative.config import TrainConfig
from genrec.models import build_model
from genrec.training.policy.examples import NextItems

HISTORY, TARGET = [3, 7, 1], 9
OTHERS = [[4, 2, 8], [9, 3, 11, 7], [1, 9, 30], [12, 9, 3], [22, 7, 9, 1], [5, 6]]
GRADED = ({"name": "hit"}, {"name": "prefix"}, {"name": "novelty", "weight": 0.5})


def with_target(target):
    """A training part in which one user's next item is this."""
    return Histories.from_lists([[*HISTORY, target], *OTHERS])


def by_vectors(words=True, seed=0):
    """A network that reads vectors of what is bought together."""
    torch.manual_seed(seed)
    sizes = {"n_items": 60, "vector_dim": DIM, "pair_dim": 16, "folds": 3, "heads": 2}
    return build_model("vector-decoder", SIZES, backbone=QWEN, words=words, later=1, **sizes)


def ready(kind, train, **settings):
    """Objective, network and collator over a training part."""
    model = by_vectors() if kind == "vector-decoder" else None
    return objective_for(kind, model, train, tiny_index(), **settings)


def batch_of(objective, model, collate, train, user=0):
    """The user's newest item, asked for as in training."""
    examples = NextItems(train, 20, newest=1, repeats=model.repeats)
    (row,) = np.flatnonzero(examples.users == user)
    return collate([examples[int(row)]])


@pytest.mark.parametrize("kind", [*NETWORKS, "vector-decoder"])
def test_what_a_user_takes_next_does_not_change_what_is_read_for_the_user(kind):
    found = []
    for target in (TARGET, 30):
        train = with_target(target)
        objective, model, collate = ready(kind, train, name="grpo", kl=0.0)
        batch = batch_of(objective, model, collate, train)
        assert batch["targets"].tolist() == [target]
        with torch.no_grad():
            found.append(objective.distribution.of_all(model, batch["inputs"]))
    torch.testing.assert_close(found[0], found[1], atol=0, rtol=0)


def test_vectors_of_all_users_would_give_it_away():
    """So the test above can fail: what users read once the network is trained holds what they took."""
    shares = {}
    for target in (40, 41):  # nobody else has them
        train = with_target(target)
        objective, model, collate = ready("vector-decoder", train, name="grpo", kl=0.0)
        inputs = {**batch_of(objective, model, collate, train)["inputs"], "folds": None}
        with torch.no_grad():
            scores = objective.distribution.of_all(model, inputs)[0]
        scores[HISTORY] = -torch.inf
        shares[target] = scores.softmax(0)
    assert shares[40][40] > 1.5 * shares[41][40]
    assert shares[41][41] > 1.5 * shares[40][41]


@pytest.mark.parametrize("words", [True, False])
def test_what_is_rewarded_is_the_distribution_that_likelihood_trains(words):
    train = with_target(TARGET)
    objective, model, collate = objective_for(
        "vector-decoder", by_vectors(words), train, tiny_index(), name="exact-reward", kl=0.0, scale="log"
    )
    batch = batch_of(objective, model, collate, train)
    loss, found = gradient(objective, model, batch)
    whole = Histories.from_lists([[*HISTORY, TARGET]])
    inputs = model.others_reader(tiny_index(), train, TrainConfig())(whole, np.array([0]))
    last = torch.tensor([[False, False, False, True]])
    model.zero_grad()
    likelihood = model(**inputs, target_mask=last).loss
    likelihood.backward()
    wanted = torch.cat([value.grad.flatten() for value in model.parameters() if value.grad is not None])
    assert loss == pytest.approx(float(likelihood.detach()), rel=0.02)  # products of training may be half as precise
    assert found.shape == wanted.shape
    assert apart(found, wanted) < 0.05


def test_items_of_the_history_have_no_share_and_are_no_targets():
    train = Histories.from_lists([[3, 7, 3, 9], [5, 5], [1, 2], [2, 1, 4]])
    objective, model, collate = ready("vector-decoder", train, name="grpo", kl=0.0)
    examples = NextItems(train, 20, repeats=False)
    asked = [(int(user), examples[n].items.tolist()) for n, user in enumerate(examples.users)]
    assert asked == [(0, [3, 7]), (0, [3, 7, 3, 9]), (2, [1, 2]), (3, [2, 1]), (3, [2, 1, 4])]
    assert len(NextItems(train, 20)) == len(asked) + 2
    assert len(NextItems(train, 1, repeats=False)) == len(asked) + 1  # 3 is no longer read when it comes again
    batch = collate([examples[1]])
    share = objective.distribution.of_all(model, batch["inputs"])[0].exp()
    assert float(share[[3, 7]].sum().detach()) == 0
    assert float(share.sum().detach()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(DataError, match="two different items"):
        NextItems(Histories.from_lists([[5, 5]]), 20, repeats=False)


def test_estimates_come_to_the_exact_gradient():
    exact, model, collate = ready("vector-decoder", TRAIN, name="exact-reward", way="items", kl=0.0, rewards=GRADED)
    _, wanted = gradient(exact, model, rows(collate, HISTORY, TARGET))
    drawing = {"group": 6, "method": "gumbel"}
    some, model, collate = ready("vector-decoder", TRAIN, name="grpo", kl=0.0, rewards=GRADED, rollouts=drawing)
    _, few = gradient(some, model, rows(collate, HISTORY, TARGET, 40))
    _, many = gradient(some, model, rows(collate, HISTORY, TARGET, 2500))
    assert apart(many, wanted) < 0.5 * apart(few, wanted)
    assert apart(many, wanted) < 0.25


@pytest.mark.parametrize(
    "settings",
    [{"name": "exact-reward"}, {"name": "grpo", "rollouts": {"include_target": True}}, {"name": "sdpo"}],
    ids=lambda one: one["name"],
)
def test_every_objective_makes_what_was_taken_likelier(settings):
    objective, model, collate = ready("vector-decoder", TRAIN, **settings)
    batch = rows(collate, HISTORY, TARGET, 4)
    before = float(objective.distribution.of_all(model, batch["inputs"])[0, TARGET].detach().exp())
    after = learn(objective, model, batch, steps=12)
    assert float(after[TARGET]) > min(1.5 * before, 0.5)
