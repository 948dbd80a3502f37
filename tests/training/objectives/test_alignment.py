"""Objectives that add terms over states to the likelihood: ColaRec, RLMRec, Molar, SRA-CL."""

import math

import numpy as np
import pytest
import torch
from support import TINY_TRAINING

from genrec.data import Interactions
from genrec.errors import ConfigError
from genrec.generative.config import load_train_config
from genrec.models.parts import mean_before
from genrec.training.contrast import bpr, info_nce
from genrec.training.objectives import build_objective
from genrec.training.objectives.colarec import Groups
from genrec.training.objectives.text_neighbours import nearest
from genrec.training.session import TrainingStoppedError
from genrec.training.train import train
from genrec.training.trainer import StopOnRequest

WEIGHTS = {
    "colarec": ("ranking", "groups", "indexing"),
    "text-alignment": ("users", "items"),
    "text-neighbours": ("users", "items"),
}
KINDS = {
    "colarec": {"name": "colarec"},
    "rlmrec": {"name": "text-alignment"},
    "molar": {"name": "text-alignment", "profile": "sequence"},
    "sra-cl": {"name": "text-neighbours"},
}


def batch_of(index, users=6, items=7, seed=0):
    rng = np.random.default_rng(seed)
    rows = torch.from_numpy(rng.integers(0, len(index.item_ids), (users, items)))
    mask = torch.ones(users, items, dtype=torch.bool)
    mask[1, 4:] = mask[2, 1:] = False
    return {"codes": torch.from_numpy(np.asarray(index.codes, dtype=np.int64))[rows], "mask": mask}


def prepared(content, model, index, config):
    objective = build_objective(content)
    objective.prepare(model, index, config)
    return objective


def loss_of(objective, model, batch):
    return objective.loss(lambda rows: model(**rows), batch)


@pytest.mark.parametrize("kind", KINDS)
def test_without_weights_only_the_likelihood_is_left(kind, tiny_model, tiny_index, tiny_config):
    content, batch = KINDS[kind], batch_of(tiny_index)
    model = tiny_model("item-decoder", tiny_index.codebook_sizes)
    own = model(**batch).loss
    nothing = prepared(content | dict.fromkeys(WEIGHTS[content["name"]], 0.0), model, tiny_index, tiny_config)
    torch.testing.assert_close(loss_of(nothing, model, batch).loss, own)
    nothing.finish(model)
    something = prepared(content | dict.fromkeys(WEIGHTS[content["name"]], 0.5), model, tiny_index, tiny_config)
    assert float(loss_of(something, model, batch).loss.detach()) > float(own.detach()) + 0.01
    told = something.figures()
    assert {"likelihood", *told} - {"likelihood"}
    assert all(math.isfinite(value) for value in told.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_term_is_learned_and_leaves_no_module_behind(kind, tiny_model, tiny_index, tiny_config):
    """What a term asks for comes about when it is trained alone, and by its weight: without it, it does not."""
    content, batch = KINDS[kind], batch_of(tiny_index)
    weights = WEIGHTS[content["name"]]

    def terms_after(weight, steps=40):
        model = tiny_model("item-decoder", tiny_index.codebook_sizes, dropout=0.0)
        names = set(model.state_dict())
        objective = prepared(
            content | {"likelihood": 0.001} | dict.fromkeys(weights, weight), model, tiny_index, tiny_config
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(steps):
            optimizer.zero_grad()
            loss_of(objective, model, batch).loss.backward()
            optimizer.step()
        objective.figures()
        measured = objective
        if not weight:
            measured = prepared(content | dict.fromkeys(weights, 1.0), model, tiny_index, tiny_config)
        for seed in range(3):
            torch.manual_seed(seed)
            loss_of(measured, model, batch)
        found = measured.figures()
        found.pop("likelihood")
        objective.finish(model)
        assert set(model.state_dict()) == names
        return found

    learned, not_learned = terms_after(1.0), terms_after(0.0)
    assert learned.keys() == not_learned.keys()
    for name in learned:
        assert learned[name] < 0.9 * not_learned[name], name


def test_partners_are_told_apart_from_all_others():
    torch.manual_seed(0)
    left, right = torch.randn(6, 8), torch.randn(6, 8)
    unit = [part / part.norm(dim=1, keepdim=True) for part in (left, right)]
    scores = (unit[0] @ unit[1].T / 0.3).numpy()
    rows = [-scores[n, n] + np.log(np.exp(scores[n]).sum()) for n in range(6)]
    columns = [-scores[n, n] + np.log(np.exp(scores[:, n]).sum()) for n in range(6)]
    np.testing.assert_allclose(float(info_nce(left, right, 0.3)), (np.mean(rows) + np.mean(columns)) / 2, rtol=1e-5)
    assert float(info_nce(torch.eye(4), torch.eye(4), 0.01)) == pytest.approx(0, abs=1e-6)
    everybody = torch.zeros(6, dtype=torch.long)
    assert float(info_nce(left, right, 0.3, everybody)) == pytest.approx(0, abs=1e-6)
    assert float(info_nce(left[:0], right[:0], 0.3)) == 0


def test_ranking_in_pairs():
    user, one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 9.0]]), torch.tensor([[1.0, -9.0]])
    assert float(bpr(user, one, one)) == pytest.approx(math.log(2))
    assert float(bpr(user, one, other)) == pytest.approx(-math.log(1 / (1 + math.exp(-2))))


@pytest.mark.parametrize("prefix", [1, 2, 9])
def test_members_of_a_group_are_drawn(prefix, tiny_index):
    groups, codes = Groups(tiny_index.trie, prefix), np.asarray(tiny_index.codes)
    items = torch.arange(len(codes))
    torch.manual_seed(0)
    met = {n: set() for n in range(len(codes))}
    for _ in range(60):
        drawn, alone = groups.draw(items)
        for n, found in enumerate(drawn.tolist()):
            met[n].add(found)
    for n in range(len(codes)):
        same = np.flatnonzero((codes[:, :prefix] == codes[n, :prefix]).all(1))
        others = set(same.tolist()) - {n}
        assert bool(alone[n]) == (not others)
        assert met[n] <= (others or {n})
        if len(others) <= 5:
            assert met[n] == (others or {n})


def test_a_profile_holds_what_came_before_and_no_more():
    torch.manual_seed(0)
    vectors, mask = torch.randn(2, 5, 3), torch.tensor([[True] * 5, [False, False, True, True, True]])
    found = mean_before(vectors, mask)
    for user in range(2):
        for column in range(5):
            before = [vectors[user, n] for n in range(column) if mask[user, n]]
            expected = torch.stack(before).mean(0) if before else torch.zeros(3)
            torch.testing.assert_close(found[user, column], expected)


def test_nearest_texts_are_those_of_brute_force():
    torch.manual_seed(0)
    vectors = torch.randn(30, 5)
    near, weights = nearest(vectors, 4, 0.1, block=7)
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).numpy()
    for n in range(30):
        scores = unit @ unit[n]
        scores[n] = -np.inf
        best = np.argsort(-scores)[:4]
        assert near[n].tolist() == best.tolist()
        np.testing.assert_allclose(weights[n], np.exp(scores[best] / 0.1) / np.exp(scores[best] / 0.1).sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "architecture", "missing"),
    [("colarec", "decoder", "embed, terms_from"), ("molar", "seq2seq", "read"), ("sra-cl", "decoder", "embed")],
)
def test_a_network_that_does_not_answer_is_refused(kind, architecture, missing, tiny_model, tiny_index, tiny_config):
    model = tiny_model(architecture, tiny_index.codebook_sizes)
    with pytest.raises(ConfigError, match=missing):
        prepared(KINDS[kind], model, tiny_index, tiny_config)


def test_users_are_aligned_on_every_network_that_gives_states(architecture, tiny_model, tiny_index, tiny_config):
    model = tiny_model(architecture, tiny_index.codebook_sizes)
    objective = prepared({"name": "text-alignment", "items": 0.0}, model, tiny_index, tiny_config)
    loss_of(objective, model, batch_of(tiny_index)).loss.backward()
    assert all(bool(weight.grad.abs().sum()) for weight in model.helpers["of_users"].parameters())


class _StopAt(StopOnRequest):
    def on_step_end(self, args, state, control, **kwargs):
        self.requested = state.global_step == 2
        return super().on_step_end(args, state, control, **kwargs)


def test_a_stopped_run_goes_on_with_the_modules_of_its_objective(tables, tiny_index, tmp_path):
    more = ["trainer.max_steps=4", "objective.users=1", "objective.items=1", "validation.users=4", "generation.words=0"]
    config = load_train_config("rlmrec", [*TINY_TRAINING, *more])
    interactions = Interactions.read(tables[1])
    whole = train(tiny_index, interactions, config, tmp_path / "whole")
    with pytest.raises(TrainingStoppedError):
        train(tiny_index, interactions, config, tmp_path / "cut", callbacks=[_StopAt()])
    again = train(tiny_index, interactions, config, tmp_path / "cut")
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], weight, msg=name)
    assert not any(name.startswith("helpers") for name in whole.model.state_dict())
    logged = [entry for entry in whole.metrics["log"] if "align_users" in entry]
    assert logged
