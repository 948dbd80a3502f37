"""Gradients: the exact one is brute force's, the estimates come to it, and where they are biased they do not."""

import pytest
import torch
from networks import network, tiny_index
from policies import apart, gradient, objective_for, rows

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.models.history_batches import CodeCollator

HISTORY, TARGET = [3, 7, 1], 9
GRADED = ({"name": "prefix"}, {"name": "novelty", "weight": 0.5})


def brute_force(name, rewards_of):
    """The expected reward from one forward pass for every item, and its gradient."""
    index, model = tiny_index(), None
    torch.manual_seed(0)
    model = network(name).bind(index).eval()
    model.restrict_loss(index.trie)
    n = len(index.item_ids)
    whole = CodeCollator(index.codes)(Histories.from_lists([[*HISTORY, item] for item in range(n)]))
    last = torch.zeros_like(whole["mask"])
    last[:, len(HISTORY)] = True
    share = model.log_likelihood({**whole, "target_mask": last}).exp()
    assert float(share.sum().detach()) == pytest.approx(1, abs=1e-4)
    loss = -(share * rewards_of(index)).sum()
    loss.backward()
    return float(loss.detach()), torch.cat([v.grad.flatten() for v in model.parameters() if v.grad is not None])


@pytest.mark.parametrize("name", ["item-decoder", "decoder", "seq2seq"])
@pytest.mark.parametrize("way", ["items", "path"])
def test_the_exact_reward_is_brute_force(name, way):
    def shared(index):
        same = torch.from_numpy(index.codes == index.codes[TARGET]).long().cumprod(1).sum(1) / 3
        return same + 2 * (torch.arange(len(same)) == TARGET)

    objective, model, collate = objective_for(
        name, name="exact-reward", way=way, kl=0.0, rewards=[{"name": "prefix"}, {"name": "hit", "weight": 2}]
    )
    loss, found = gradient(objective, model, rows(collate, HISTORY, TARGET))
    wanted_loss, wanted = brute_force(name, shared)
    assert loss == pytest.approx(wanted_loss, abs=1e-5)
    assert apart(found, wanted) < 1e-3


def test_the_logarithm_of_hits_is_the_likelihood():
    settings = {"name": "exact-reward", "kl": 0.0, "scale": "log"}
    objective, model, collate = objective_for("item-decoder", **settings)
    _, found = gradient(objective, model, rows(collate, HISTORY, TARGET))
    model.restrict_loss(tiny_index().trie)
    model.zero_grad()
    whole = CodeCollator(tiny_index().codes)(Histories.from_lists([[*HISTORY, TARGET]]))
    last = torch.tensor([[False, False, False, True]])
    (-model.log_likelihood({**whole, "target_mask": last})).sum().backward()
    wanted = torch.cat([v.grad.flatten() for v in model.parameters() if v.grad is not None])
    assert apart(found, wanted) < 1e-3


def estimate(name, n, wanted, **settings):
    """How far estimates are from the exact gradient: sixteenths of ``n`` in the mean, and all ``n`` together."""
    objective, model, collate = objective_for(name, name="grpo", kl=0.0, rewards=GRADED, **settings)
    parts = [gradient(objective, model, rows(collate, HISTORY, TARGET, n // 16))[1] for _ in range(16)]
    few = sum(apart(part, wanted) for part in parts) / len(parts)
    return few, apart(torch.stack(parts).mean(0), wanted)


@pytest.fixture(scope="module", params=["item-decoder", "recgpt-rows"])
def exact(request):
    objective, model, collate = objective_for(request.param, name="exact-reward", way="items", kl=0.0, rewards=GRADED)
    return request.param, gradient(objective, model, rows(collate, HISTORY, TARGET))[1]


@pytest.mark.parametrize(("advantage", "include"), [("none", False), ("leave-one-out", False), ("leave-one-out", True)])
def test_gumbel_roll_outs_come_to_the_exact_gradient(exact, advantage, include):
    name, wanted = exact
    drawing = {"group": 6, "method": "gumbel", "include_target": include}
    few, many = estimate(name, 3200, wanted, advantage=advantage, rollouts=drawing)
    assert many < 0.5 * few  # sixteen times as many: a quarter of the error
    assert many < (0.2 if advantage == "leave-one-out" else 0.7)


def test_independent_roll_outs_come_to_it_too(exact):
    name, wanted = exact
    few, many = estimate(name, 3200, wanted, advantage="leave-one-out", rollouts={"group": 6, "method": "sample"})
    assert many < 0.25
    assert many < 0.5 * few


@pytest.mark.parametrize(
    "drawing", [{"method": "gumbel", "importance": False}, {"method": "beam"}], ids=lambda one: one["method"]
)
def test_without_weights_groups_of_distinct_items_do_not(exact, drawing):
    """However many: what is likelier counts no more than what is not."""
    name, wanted = exact
    _, many = estimate(name, 1600, wanted, advantage="leave-one-out", rollouts={"group": 6, **drawing})
    assert many > 0.3


def test_a_leave_one_out_baseline_takes_noise_away(exact):
    name, wanted = exact
    drawing = {"group": 6, "method": "gumbel"}
    noise = [estimate(name, 1600, wanted, advantage=one, rollouts=drawing)[0] for one in ("none", "leave-one-out")]
    assert noise[1] < noise[0]


@pytest.mark.parametrize("name", ["item-decoder", "recgpt-rows"])
def test_candidates_come_to_the_exact_reward(name):
    settings = {"name": "exact-reward", "kl": 0.5, "rewards": GRADED}
    exact, model, collate = objective_for(name, way="items", **settings)
    _, wanted = gradient(exact, model, rows(collate, HISTORY, TARGET))
    some, model, collate = objective_for(name, way="candidates", candidates=8, **settings)
    _, found = gradient(some, model, rows(collate, HISTORY, TARGET, 1600))
    assert apart(found, wanted) < 0.2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rewards": [{"name": "diversity"}]}, "members of a group"),
        ({"rewards": [{"name": "novelty"}], "way": "path"}, "one path"),
        ({"rewards": []}, "no reward"),
    ],
)
def test_what_does_not_go_together_is_said(settings, says):
    with pytest.raises(ConfigError, match=says):
        objective_for("item-decoder", name="exact-reward", **settings)


def test_a_reward_that_is_not_positive_has_no_logarithm():
    objective, model, collate = objective_for(
        "item-decoder", name="exact-reward", scale="log", way="items", rewards=[{"name": "novelty", "weight": -1}]
    )
    with pytest.raises(ConfigError, match="no logarithm"):
        gradient(objective, model, rows(collate, HISTORY, TARGET))
