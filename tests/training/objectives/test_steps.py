"""Objectives over latent steps: ReaRec's two losses, ManCAR's soft targets, DTRec's prefixes, and Swing."""

import itertools

import numpy as np
import pytest
import torch
from support import QWEN

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.models import build_model
from genrec.training.objectives import build_objective
from genrec.training.objectives.neighbour_steps import newest_before, path_divergence, soft_targets
from genrec.training.objectives.prefix_steps import depths
from genrec.training.objectives.reasoning import between_steps
from genrec.training.objectives.stepwise import divergence, shares
from genrec.training.swing import swing_neighbours

KINDS = {
    "ensemble": ({"name": "reasoning", "way": "ensemble"}, ("apart",)),
    "progressive": ({"name": "reasoning"}, ("early", "contrast")),
    "mancar": ({"name": "neighbour-steps"}, ("steps",)),
    "dtrec": ({"name": "prefix-steps"}, ("steps",)),
}


@pytest.fixture
def thinking(tiny_index):
    """A tiny network with three steps."""

    def build(**fields):
        torch.manual_seed(0)
        sizes = tiny_index.codebook_sizes
        model = build_model("latent-steps", sizes, backbone=QWEN, dropout=0.0, steps=3, **fields).eval()
        with torch.no_grad():
            model.output_table.weight.mul_(30)
            model.step_vectors.mul_(20)
        return model

    return build


@pytest.fixture
def prepared(tiny_index, tiny_config):
    def prepare(content, model):
        rng = np.random.default_rng(0)
        histories = Histories.from_lists([rng.integers(0, len(tiny_index.item_ids), 6).tolist() for _ in range(40)])
        objective = build_objective(content)
        objective.prepare(model, tiny_index, tiny_config)
        objective.batches(model, tiny_index, histories, tiny_config)
        rows = torch.from_numpy(np.stack([histories[n] for n in range(5)])).long()
        mask = torch.ones(5, 6, dtype=torch.bool)
        mask[1, 3:] = False
        return objective, {"codes": torch.from_numpy(np.asarray(tiny_index.codes, dtype=np.int64))[rows], "mask": mask}

    return prepare


def loss_of(objective, model, batch):
    return objective.loss(lambda rows: model(**rows), batch)


@pytest.mark.parametrize("kind", KINDS)
def test_without_weights_only_the_likelihood_is_left(kind, thinking, prepared):
    content, weights = KINDS[kind]
    model = thinking()
    nothing, batch = prepared(content | dict.fromkeys(weights, 0.0), model)
    found = loss_of(nothing, model, batch)
    own = model(**batch)
    torch.testing.assert_close(found.loss, own.loss)
    torch.testing.assert_close(found.log_likelihood, own.log_likelihood)
    something, _ = prepared(content | dict.fromkeys(weights, 0.5), model)
    assert not torch.isclose(loss_of(something, model, batch).loss, own.loss, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_learns(kind, thinking, prepared):
    """Gradients reach every step; without the terms of the objective only what is written from would be judged."""
    content, weights = KINDS[kind]
    model = thinking()
    objective, batch = prepared(content | {"likelihood": 0.0} | dict.fromkeys(weights, 1.0), model)
    before = float(loss_of(objective, model, batch).loss.detach())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(10):
        optimizer.zero_grad()
        loss_of(objective, model, batch).loss.backward()
        optimizer.step()
    assert bool((model.step_vectors.grad.abs().sum(1) > 0)[:2].all())
    torch.manual_seed(0)
    assert float(loss_of(objective, model, batch).loss.detach()) < before


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_without_steps_is_refused(kind, tiny_model, tiny_index, tiny_config):
    objective = build_objective(KINDS[kind][0])
    with pytest.raises(ConfigError, match="step_states"):
        objective.prepare(tiny_model("item-decoder", tiny_index.codebook_sizes), tiny_index, tiny_config)


def test_divergence_is_nothing_between_the_same_and_else_that_of_the_formula(thinking, prepared):
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.2, 0.3, 0.5])
    assert float(divergence(p.log(), p.log())) == 0
    expected = 0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.3)
    assert float(divergence(p.log(), q.log())) == pytest.approx(expected, rel=1e-6)
    model = thinking()
    _, batch = prepared(KINDS["ensemble"][0], model)
    steps, targets = model.step_states(**batch)
    right = batch["codes"][targets]
    assert float(between_steps(model, steps, right).detach()) > 1e-3
    same = steps[:1].expand_as(steps)
    assert float(between_steps(model, same, right).detach()) == pytest.approx(0, abs=1e-6)


def test_soft_targets_sharpen_with_every_step():
    there = torch.tensor([[True, True, False, True], [True, False, False, False]])
    found = soft_targets(there, 3)
    torch.testing.assert_close(found.sum(-1), torch.ones(3, 2))
    assert bool((found[:, ~there] == 0).all())
    for step, temperature in enumerate([3, 2, 1]):
        raw = np.exp(-np.array([0, 1, 2]) / temperature)
        np.testing.assert_allclose(found[step, 0, [0, 1, 3]], raw / raw.sum(), rtol=1e-5)
    assert bool((found[1:, 0, 0] > found[:-1, 0, 0]).all())


def test_the_divergence_along_a_path_is_nothing_where_a_network_says_what_is_wanted(thinking, prepared):
    """Against brute force over all items: conditional shares behind the prefixes of the right item."""
    torch.manual_seed(0)
    sizes = (3, 4)
    codes = torch.tensor(list(itertools.product(range(3), range(4))))[torch.randperm(12)[:6]]
    right, wanted = codes[:1], torch.rand(2, 1, 6).softmax(-1)
    exact = []
    for level, size in enumerate(sizes):
        alive = wanted * (codes[:, :level] == right[0, :level]).all(1)
        level_shares = torch.zeros(2, 1, size)
        for item in range(6):
            level_shares[:, 0, codes[item, level]] += alive[:, 0, item]
        exact.append((level_shares / level_shares.sum(-1, keepdim=True)).log())
    nothing = path_divergence(wanted, codes[None], right, exact)
    torch.testing.assert_close(nothing, torch.zeros(2, 1), atol=1e-6, rtol=0)
    uniform = [torch.full((2, 1, size), 1 / size).log() for size in sizes]
    found = path_divergence(wanted, codes[None], right, uniform)
    first = (exact[0].exp() * (exact[0].nan_to_num(neginf=0) - uniform[0])).sum(-1)
    mass = exact[0].exp()[..., right[0, 0]]
    second = (exact[1].exp() * (exact[1].nan_to_num(neginf=0) - uniform[1])).sum(-1)
    torch.testing.assert_close(found, first + mass * second)


def test_the_newest_item_before_a_column():
    items = torch.tensor([[4, 7, 9, -1], [-1, -1, 3, 5]])
    assert newest_before(items).tolist() == [[-1, 4, 7, 9], [-1, -1, -1, 3]]


def test_steps_learn_more_and_more_codes(thinking, prepared):
    assert (depths(3, 3), depths(3, 4), depths(5, 2)) == ([1, 2, 3], [2, 3, 4], [1, 1, 2, 2, 2])
    model = thinking()
    objective, batch = prepared({"name": "prefix-steps", "likelihood": 0.0, "steps": 1.0}, model)
    steps, targets = model.step_states(**batch)
    right = batch["codes"][targets]
    levels = shares(model, steps, right)
    expected = 0.0
    for step, known in enumerate(depths(4, right.shape[1])[:-1]):
        for level in range(known):
            expected -= float(levels[level][step].gather(1, right[:, level, None]).detach().mean()) / 3
    assert float(loss_of(objective, model, batch).loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_swing_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    lists = [rng.choice(12, rng.integers(1, 7), replace=False).tolist() for _ in range(15)]
    scores = np.zeros((12, 12))
    for one, other in itertools.combinations([set(items) for items in lists], 2):
        for i, j in itertools.permutations(one & other, 2):
            scores[i, j] += 1 / (0.5 + len(one & other))
    found = swing_neighbours(Histories.from_lists(lists), 12, 4, alpha=0.5)
    for item in range(12):
        best = [n for n in np.lexsort([np.arange(12), -np.round(scores[item], 5)]) if scores[item, n] > 0][:4]
        got = [n for n in found[item].tolist() if n >= 0]
        np.testing.assert_allclose(scores[item, got], scores[item, best], rtol=1e-5)
    capped = swing_neighbours(Histories.from_lists([[0, 1]] * 50), 2, 1, most_users=3)
    assert capped.tolist() == [[1], [0]]
