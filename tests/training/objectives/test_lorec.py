"""LoRec: users who look like attackers count less (arXiv 2401.17723)."""

import numpy as np
import pytest
import torch

from genrec.data.attacks import inject
from genrec.data.histories import Histories
from genrec.models.history_batches import CodeCollator
from genrec.training.objectives import build_objective
from genrec.training.objectives.lorec import signs


def batch_of(index):
    rng = np.random.default_rng(0)
    return CodeCollator(index.codes)([rng.integers(0, len(index.item_ids), n) for n in (7, 4, 1, 5, 6, 3)])


def prepared(content, model, index, config):
    objective = build_objective(content)
    objective.prepare(model, index, config)
    return objective


def loss_of(objective, model, batch):
    return objective.loss(lambda rows: model(**rows), batch)


def test_without_strength_it_is_the_likelihood(tiny_model, tiny_index, tiny_config):
    batch, model = batch_of(tiny_index), tiny_model("item-decoder", tiny_index.codebook_sizes, dropout=0.0)
    plain = {"name": "lorec", "strength": 0.0, "calibrator": 0.0, "entropy": 0.0}
    objective = prepared(plain, model, tiny_index, tiny_config)
    torch.testing.assert_close(loss_of(objective, model, batch).loss, model(**batch).loss)


def test_suspected_rows_count_less_and_the_mean_weight_is_one(tiny_model, tiny_index, tiny_config):
    batch, model = batch_of(tiny_index), tiny_model("item-decoder", tiny_index.codebook_sizes, dropout=0.0)
    objective = prepared({"name": "lorec"}, model, tiny_index, tiny_config)
    weights = objective.weights(torch.tensor([-4.0, 0.0, 4.0]))
    assert float(weights.mean()) == pytest.approx(1)
    assert (np.diff(weights.numpy()) < 0).all()
    output = model(**batch)
    objective.suspicion = lambda *_: torch.tensor([0.0, 0, 0, 30, 0, 0])
    trusted = torch.tensor([1.2, 1.2, 1.2, 0, 1.2, 1.2])
    wanted = -(trusted * output.log_likelihood).sum() / output.n_targets
    torch.testing.assert_close(objective.likelihood(model, output, batch), wanted)


def test_signs_are_small_where_nothing_goes_together():
    texts = torch.nn.functional.normalize(torch.randn(6, 4), dim=1)
    items = torch.tensor([[0, 0, 0, -1], [0, 1, 0, 2], [3, -1, -1, -1]])
    rows = texts[items.clamp_min(0)] * (items >= 0)[..., None]
    found = signs(items, rows)
    torch.testing.assert_close(found[0], torch.tensor([1.0, 1.0, 1.0]))
    torch.testing.assert_close(found[2], torch.tensor([0.0, 0.0, 0.0]))
    cosines = texts @ texts.T
    assert float(found[1, 0]) == pytest.approx(float(2 * cosines[0, 1] + cosines[0, 2]) / 3, abs=1e-6)
    pairs = 2 * cosines[0, 1] + 2 * cosines[0, 2] + cosines[1, 2] + 1
    assert float(found[1, 1]) == pytest.approx(float(pairs) / 6, abs=1e-6)
    assert float(found[1, 2]) == 0.5


def test_real_attackers_are_found_although_it_never_saw_them(tiny_model, tiny_index, tiny_config):
    """Trained on a crowd with injected users in it, without labels: these get less weight than the others."""
    rng, n_items = np.random.default_rng(0), len(tiny_index.item_ids)
    groups = np.argsort(tiny_index.codes[:, 0], kind="stable").reshape(6, -1)  # people stay among alike items
    people = [rng.choice(groups[n % 6], rng.integers(4, 7), replace=False) for n in range(40)]
    crowd = inject(Histories.from_lists(people), n_items, 0.2, seed=5)
    batch = CodeCollator(tiny_index.codes)(crowd.histories)
    model = tiny_model("item-decoder", tiny_index.codebook_sizes, dropout=0.0)
    objective = prepared({"name": "lorec"}, model, tiny_index, tiny_config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(25):
        objective.begin_step(step)
        optimizer.zero_grad()
        loss_of(objective, model, batch).loss.backward()
        optimizer.step()
    with torch.no_grad():
        weights = objective.weights(objective.suspicion(model, objective._rows(batch))).numpy()
    assert weights[crowd.fake].mean() < 0.7 * weights[~crowd.fake].mean()
    told = objective.figures()
    assert set(told) == {"likelihood", "calibrator", "certainty", "lowest_weight"}
    objective.finish(model)
