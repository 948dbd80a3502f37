"""What a network believes about items: the same as brute force, and the same from search, for every network."""

import pytest
import torch
from networks import NETWORKS, network, tiny_index

from genrec.data.histories import Histories
from genrec.models.history_batches import CodeCollator
from genrec.training.policy.distribution import ItemDistribution
from genrec.training.policy.rollouts import RolloutSettings, roll_out

CODES = sorted(set(NETWORKS) - {"recgpt", "recgpt-suffix", "recgpt-rows", "recgpt-autoregressive"})
PARALLEL = ["recgpt", "recgpt-suffix", "recgpt-rows"]
ROWS = [[3, 7, 1], [12, 40]]


def made(name):
    index = tiny_index()
    model = network(name).bind(index).eval()
    vectors = index.vectors() if NETWORKS[name].get("vector_dim") else None
    inputs = CodeCollator(index.codes, vectors)(Histories.from_lists(ROWS))
    return index, model, inputs, ItemDistribution(model, index.trie, checkpoints=True)


@pytest.mark.parametrize("name", [*CODES, *PARALLEL, "recgpt-autoregressive"])
def test_probabilities_of_all_items_sum_to_one_and_are_those_of_single_items(name):
    index, model, inputs, distribution = made(name)
    everything = distribution.of_all(model, inputs)
    torch.testing.assert_close(everything.exp().sum(1), torch.ones(2))
    items = torch.tensor([[5, 0, 59, -1], [8, 8, 1, 2]])
    some = distribution.of_items(model, inputs, items)
    assert torch.isfinite(some).all()
    wanted = everything.gather(1, items.clamp_min(0))
    torch.testing.assert_close(some.sum(-1)[items >= 0], wanted[items >= 0], atol=1e-4, rtol=1e-4)
    assert len(index.item_ids) == everything.shape[1]


@pytest.mark.parametrize("name", CODES)
def test_they_are_the_likelihood_among_legal_codes_with_the_same_gradient(name):
    """Teacher forcing and stepping through the trie are one function of the weights."""
    index, model, inputs, distribution = made(name)
    model.restrict_loss(index.trie)
    targets = torch.tensor([9, 33])
    whole = CodeCollator(index.codes)(
        Histories.from_lists([[*row, int(t)] for row, t in zip(ROWS, targets, strict=True)])
    )
    last = torch.zeros_like(whole["mask"])
    last[torch.arange(2), whole["mask"].sum(1) - 1] = True
    forced = model.log_likelihood({**whole, "target_mask": last})
    stepped = distribution.of_items(model, inputs, targets[:, None]).sum((1, 2))
    torch.testing.assert_close(forced, stepped, atol=1e-4, rtol=1e-4)
    weights = [one for one in model.parameters() if one.requires_grad]
    ours, theirs = (torch.autograd.grad(one.sum(), weights, allow_unused=True) for one in (stepped, forced))
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            torch.testing.assert_close(mine, other, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["item-decoder", "recgpt"])
def test_walking_again_for_the_gradient_changes_nothing(name):
    index, model, inputs, distribution = made(name)
    plain = ItemDistribution(model, index.trie)
    for one in (distribution, plain):
        model.zero_grad()
        one.of_all(model, inputs)[:, 7].sum().backward()
        grads = {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}
        if one is distribution:
            first = grads
    assert first.keys() == grads.keys()
    for key, value in grads.items():
        torch.testing.assert_close(first[key], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["beam", "gumbel", "sample"])
@pytest.mark.parametrize("name", ["item-decoder", "seq2seq", "recgpt"])
def test_groups_are_real_items_and_distinct_where_they_must_be(name, method):
    index, model, inputs, distribution = made(name)
    targets = torch.tensor([9, 33])
    drawn = roll_out(model, distribution, inputs, targets, RolloutSettings(group=8, method=method, include_target=True))
    assert drawn.items.shape == (2, 8)
    assert (drawn.items >= 0).all()
    assert (drawn.items < len(index.item_ids)).all()
    assert (drawn.items[:, 0] == targets).all()
    if method != "sample":
        assert all(len(set(row.tolist())) == 8 for row in drawn.items)


def test_beams_are_the_best_items():
    _, model, inputs, distribution = made("item-decoder")
    drawn = roll_out(model, distribution, inputs, torch.tensor([0, 0]), RolloutSettings(group=60, method="beam"))
    wanted = distribution.of_all(model, inputs).argsort(1, descending=True)
    assert drawn.items.tolist() == wanted.tolist()


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("name", ["item-decoder", "recgpt-rows"])
def test_weighted_sums_over_gumbel_groups_are_right_on_average(name, include):
    """And a group as large as the catalogue is the catalogue."""
    index, model, inputs, distribution = made(name)
    n, rows = len(index.item_ids), 1500
    inputs = {key: value[:1].expand(rows, *value.shape[1:]) for key, value in inputs.items()}
    log_p = distribution.of_all(model, {key: value[:1] for key, value in inputs.items()})[0].detach()
    values = torch.linspace(-1, 2, n)
    targets = torch.full((rows,), int(log_p.argmin()))
    wanted = float((log_p.exp() * values).sum())
    for group in (6, n):
        drawn = roll_out(model, distribution, inputs, targets, RolloutSettings(group=group, include_target=include))
        here = drawn.items.clamp_min(0)
        sums = (drawn.weights(log_p[here]) * values[here]).sum(1)
        error = float(sums.std() / rows**0.5)
        assert abs(float(sums.mean()) - wanted) < 4 * error + 1e-4
        if group == n:
            torch.testing.assert_close(sums, torch.full_like(sums, wanted), atol=1e-4, rtol=1e-4)
