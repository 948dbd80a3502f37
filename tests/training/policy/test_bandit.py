"""A bandit whose best item is known: every objective finds it. And what the objectives tell of themselves."""

import pytest
import torch
from policies import FAVOURITE, gradient, learn, objective_for, rows, undecided

from genrec.training.objectives.grpo import advantages, clipped
from genrec.training.objectives.sdpo import preference_loss
from genrec.training.policy.post_training import k3
from genrec.training.policy.rollouts import Rollouts

OWN = [{"name": "function", "function": "policies:favourite"}]
TARGET = FAVOURITE


GUMBEL = {"name": "grpo", "kl": 0.0, "rewards": OWN, "rollouts": {"include_target": True}, "refresh": 2}
BEAM = {"name": "grpo", "kl": 0.0, "advantage": "group", "rollouts": {"method": "beam", "group": 60}}
ITEMS = {"name": "exact-reward", "kl": 0.0, "rewards": OWN, "way": "items"}
CANDIDATES = {"name": "exact-reward", "kl": 0.0, "rewards": OWN, "way": "candidates"}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        pytest.param("item-decoder", GUMBEL, id="gumbel"),
        pytest.param("seq2seq", GUMBEL, id="gumbel-seq2seq"),
        pytest.param("recgpt-rows", GUMBEL, id="gumbel-slots"),
        pytest.param("item-decoder", BEAM, id="beam"),
        pytest.param("item-decoder", ITEMS, id="items"),
        pytest.param("recgpt-rows", ITEMS, id="items-slots"),
        pytest.param("item-decoder", CANDIDATES, id="candidates"),
    ],
)
def test_the_best_item_is_found(kind, settings):
    objective, model, collate = objective_for(kind, undecided(kind), **settings)
    found = learn(objective, model, rows(collate, [3, 7], TARGET, 2))
    assert int(found.argmax()) == FAVOURITE
    assert found[FAVOURITE] > 0.5


@pytest.mark.parametrize("source", ["own", "random", "popular"])
def test_preferences_put_what_was_taken_first(source):
    network = undecided("item-decoder")
    objective, model, collate = objective_for("item-decoder", network, name="sdpo", source=source, likelihood=0.1)
    found = learn(objective, model, rows(collate, [3, 7], TARGET, 4))
    assert int(found.argmax()) == TARGET
    assert objective.figures()["preferred"] > 0.5


def test_taking_turns_begins_with_likelihood_and_takes_the_reference_anew():
    objective, model, collate = objective_for("item-decoder", name="sdpo", alternate=5)
    before = objective.start
    learn(objective, model, rows(collate, [3, 7], TARGET, 2), steps=4)
    assert not objective.prefers
    assert objective.start is before
    learn(objective, model, rows(collate, [3, 7], TARGET, 2), steps=8)
    assert objective.prefers
    assert objective.start is not before


def test_the_divergence_holds_a_network_at_its_start():
    shares = []
    for kl in (0.0, 5.0):
        settings = {**GUMBEL, "kl": kl}
        objective, model, collate = objective_for("item-decoder", undecided("item-decoder"), **settings)
        shares.append(learn(objective, model, rows(collate, [3, 7], TARGET, 2), steps=12)[FAVOURITE])
        assert (objective.start is None) == (kl == 0)
    assert shares[1] < 0.5 * shares[0]


def test_at_the_start_there_is_no_divergence_and_weights_come_back():
    objective, model, collate = objective_for("item-decoder", name="grpo", kl=1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient(objective, model, rows(collate, [3, 7], TARGET, 3))
    figures = objective.figures()
    assert figures["kl"] == pytest.approx(0, abs=1e-6)
    assert {"reward", "reward_hit", "groups_without_gradient", "distinct", "rollout_items"} <= set(figures)
    assert objective.figures() == {}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_group_of_equals_is_counted_and_teaches_nothing():
    nothing = [{"name": "function", "function": "policies:favourite", "weight": 0.0}]
    objective, model, collate = objective_for("item-decoder", name="grpo", kl=0.0, rewards=nothing)
    _, found = gradient(objective, model, rows(collate, [3, 7], TARGET, 3))
    assert objective.figures()["groups_without_gradient"] == 1
    assert float(found.abs().max()) == 0


def test_what_an_objective_keeps_is_what_it_goes_on_with():
    settings = {"name": "grpo", "refresh": 3, "kl": 0.0}
    objective, model, collate = objective_for("item-decoder", **settings)
    learn(objective, model, rows(collate, [3, 7], TARGET), steps=5)
    again, _, _ = objective_for("item-decoder", **settings)
    again.load_state({name: value.clone() for name, value in objective.state().items()})
    assert again._fresh == objective._fresh == 3
    assert again.figures() == objective.figures()
    for name, value in objective.behaviour.weights.items():
        assert torch.equal(again.behaviour.weights[name], value)


def test_advantages_by_hand():
    reward, items = torch.tensor([[1.0, 0, 0, 5]]), torch.tensor([[4, 2, 9, -1]])
    drawn, same = Rollouts(items, items < -1), torch.zeros(1, 4)
    weights = drawn.weights(same)
    torch.testing.assert_close(weights, torch.tensor([[1, 1, 1, 0]]) / 3)
    others = advantages(reward, weights, drawn, same, "leave-one-out")
    torch.testing.assert_close(others, torch.tensor([[1, -0.5, -0.5, 0]]))
    group = advantages(reward, weights, drawn, same, "group")
    torch.testing.assert_close(group, torch.tensor([[2**0.5, -(0.5**0.5), -(0.5**0.5), 0]]), atol=1e-3, rtol=1e-3)
    ranks = advantages(reward, weights, drawn, same, "rank")
    torch.testing.assert_close(ranks, torch.tensor([[1 / 3, -1 / 6, -1 / 6, 0]]))


@pytest.mark.parametrize("gap", [-300.0, -2.0, 0.0, 5.0, 300.0])
def test_a_distribution_far_from_its_start_still_gives_numbers(gap):
    """What has become as good as impossible may be drawn all the same: it counts nothing, which is a number."""
    policy = torch.tensor([[-1.0 - gap]], requires_grad=True)
    divergence = k3(policy, torch.tensor([[-1.0]]))
    if abs(gap) < 80:
        assert float(divergence.detach()) == pytest.approx(torch.tensor(gap).exp().item() - gap - 1, rel=1e-5)
    gain = clipped(policy[..., None], torch.tensor([[[-1.0]]]), torch.tensor([[0.0]]), 0.8, 1.2, "token")
    (0.0 * divergence + gain).sum().backward()
    assert bool(policy.grad.isfinite().all())
    policy.grad = None
    k3(policy, torch.tensor([[-1.0]])).sum().backward()
    assert float(policy.grad) * gap <= 0  # always back to the start


def test_changes_that_are_too_large_are_not_rewarded():
    old = torch.zeros(1, 3, 2)
    policy = torch.tensor([[[0.1, 0.0], [0.5, 0.0], [-0.5, 0.0]]], requires_grad=True)
    advantage = torch.tensor([[1.0, 1.0, 1.0]])
    by_code = clipped(policy, old, advantage, 0.8, 1.2, "token")
    assert by_code[0].tolist() == pytest.approx([1 + 1.1052, 1 + 1.2, 1 + 0.6065], abs=1e-3)
    by_code.sum().backward()
    assert policy.grad[0, 1, 0] == 0  # clipped, and so without a gradient
    assert policy.grad[0, 2, 0] > 0
    by_item = clipped(policy.detach(), old, advantage, 0.8, 1.2, "sequence")
    assert by_item[0].tolist() == pytest.approx([1.1052, 1.2, 0.6065], abs=1e-3)


def test_one_negative_is_dpo_and_none_is_nothing():
    moved = torch.tensor([[0.3, -0.2], [0.1, 0.4]], requires_grad=True)
    found = preference_loss(moved, torch.tensor([[True], [False]]), margin=0.1)
    assert found.tolist() == pytest.approx([float(-torch.sigmoid(torch.tensor(0.4)).log()), 0.0])
    found.sum().backward()
    assert torch.isfinite(moved.grad).all()
