"""H2Rec: two branches that help each other, a gate over levels, a contrast with several positives."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from networks import SIZES, tiny_index
from support import QWEN

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.models import build_model
from genrec.models.literature.h2rec import nearest, one_to_many, positives

ITEMS = torch.tensor([[3, 9, 15, 2], [20, 7, -1, -1]])


def made(**options):
    torch.manual_seed(0)
    settings = {"n_items": 60, "vector_dim": 12, "cross_heads": 2, **options}
    model = build_model("h2rec", SIZES, backbone=QWEN, **settings).eval().bind(tiny_index())
    with torch.no_grad():
        model.rows.mul_(30)
        model.code_table.weight.mul_(30)
    return model


def batch(model, items=ITEMS):
    return {"codes": model.codes[items.clamp_min(0)], "mask": items >= 0, "items": items}


def likelihood(model, items=ITEMS, targets=None):
    with torch.no_grad():
        return model(**batch(model, items), target_mask=targets).log_likelihood


@torch.no_grad()
def test_each_branch_reads_the_other_only_through_attention():
    model, items = made(), ITEMS.clamp_min(0)
    mask = ITEMS >= 0
    before = model.states(items, mask, model.table())
    for cross in [*model.to_rows, model.to_codes]:
        cross.out.weight.zero_()
    apart = model.states(items, mask, model.table())
    assert (before - apart)[mask.nonzero()[:, 0]].abs().max() > 1e-2
    model.rows[9] += 1
    changed = model.states(items, mask, model.table())
    assert (changed - apart)[0, 2:, 0].abs().max() > 1e-2  # by rows
    torch.testing.assert_close(changed[:, :, 1], apart[:, :, 1])  # by codes
    model = made()
    before = model.states(items, mask, model.table())
    model.rows[9] += 1
    assert (model.states(items, mask, model.table()) - before)[0, 2:, 1].abs().max() > 1e-2


@torch.no_grad()
def test_levels_start_from_coarse_to_fine_and_a_sure_gate_takes_one():
    model = made()
    model.gate[-1].weight.zero_()
    model.gate[-1].bias.zero_()
    weights = model.gates(torch.zeros(3, 32))
    assert (weights[:, :-1] > weights[:, 1:]).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3))
    model.gate[-1].bias[1] = 50.0
    items, mask = ITEMS.clamp_min(0), ITEMS >= 0
    before = model.states(items, mask, model.table())
    model.to_rows[0].out.weight.zero_()
    torch.testing.assert_close(model.states(items, mask, model.table()), before)
    model.to_rows[1].out.weight.zero_()
    assert (model.states(items, mask, model.table()) - before)[0, :, 0].abs().max() > 1e-3


def test_a_later_item_changes_no_earlier_prediction_and_padding_none():
    model = made()
    early = torch.zeros(2, 4, dtype=torch.bool)
    early[:, :2] = True
    other = ITEMS.clone()
    other[0, 2:] = torch.tensor([40, 41])
    torch.testing.assert_close(likelihood(model, other, early), likelihood(model, ITEMS, early))
    left = torch.tensor([[-1, -1, 20, 7]])
    with torch.no_grad():
        alone, both = (model.prefill(**batch(model, items)).scores for items in (left, ITEMS))
    torch.testing.assert_close(alone[0], both[1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_search_and_training_agree():
    model = made()
    scores = model.prefill(**batch(model, ITEMS[:1, :3])).scores.log_softmax(1)
    last = torch.tensor([[False, False, False, True]])
    assert float(scores[0, 2]) == pytest.approx(float(likelihood(model, ITEMS[:1], last)), abs=1e-4)


def test_positives_are_items_bought_close_and_the_item_itself():
    counts = np.zeros((6, 6))
    for one, other, value in [(0, 1, 4), (0, 2, 2), (0, 3, 1), (1, 2, 8), (0, 0, 9)]:
        counts[one, other] = counts[other, one] = value
    near, weights = nearest(sp.csr_array(counts), 2, 2.0)
    assert near[0].tolist() == [1, 2]
    assert weights[0].tolist() == [1.0, 0.5]
    assert weights[3].tolist() == [0, 0]  # one pair is too few
    found = torch.tensor([0, 2, 5])
    wanted = positives(found, near[found], weights[found], 6)
    expected = [[1, 0.5, 0], [0.25, 1, 0], [0, 0, 1]]
    torch.testing.assert_close(wanted, torch.tensor(expected))


def test_the_contrast_with_one_positive_is_plain_infonce_and_more_share_it():
    rows, coded = torch.randn(4, 8), torch.randn(4, 8)
    one, other = (torch.nn.functional.normalize(part, dim=1) for part in (rows, coded))
    scores, right = one @ other.T / 0.5, torch.arange(4)
    plain = (torch.nn.functional.cross_entropy(scores, right) + torch.nn.functional.cross_entropy(scores.T, right)) / 2
    torch.testing.assert_close(one_to_many(rows, coded, torch.eye(4), 0.5), plain)
    uniform = one_to_many(rows, rows[:1].expand(4, -1), torch.ones(4, 4), 0.5)
    there = float(np.log(4))
    assert float(uniform) >= there - 1e-6
    same = rows[:1].expand(4, -1)
    assert float(one_to_many(same, same, torch.ones(4, 4), 0.5)) == pytest.approx(there, abs=1e-5)


def test_the_contrast_acts_in_training_alone_and_brings_both_vectors_of_an_item_together():
    model = made(dropout=0.0, align=5.0)
    model.learns_from(Histories.from_lists([[3, 9, 15, 2], [20, 7, 9], [3, 9]]), seed=0)
    plain = float(model(**batch(model)).loss.detach())
    model.train()
    assert float(model(**batch(model)).loss.detach()) > plain
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    cosines = []
    for _ in range(40):
        rows, coded = model.table()[:, [3, 9, 15, 2, 20, 7]].detach()
        cosines.append(float(torch.nn.functional.cosine_similarity(rows, coded).mean()))
        optimizer.zero_grad()
        model(**batch(model)).loss.backward()
        optimizer.step()
    assert cosines[-1] > cosines[0] + 0.2
    model.eval()
    assert int(model.prefill(**batch(model, ITEMS[:1, :3])).scores.argmax()) == 2


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match="cross_heads"):
        made(cross_heads=5)
