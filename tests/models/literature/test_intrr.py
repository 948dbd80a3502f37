"""IntRR's input: a row chooses softly among codes, level by level, and its codes hold it back."""

import pytest
import torch
from networks import SIZES, tiny_index
from support import QWEN
from torch.nn import functional as F

from genrec.models import build_model

ITEMS = torch.tensor([[3, 9, 15, 2], [20, 7, -1, -1]])


def made(**options):
    torch.manual_seed(0)
    settings = {"n_items": 60, "assignment_width": 16, "dropout": 0.0, **options}
    model = build_model("intrr", SIZES, backbone=QWEN, **settings).eval()
    with torch.no_grad():
        model.input_table.weight.mul_(20)
    return model


def batch(items=ITEMS):
    codes = torch.from_numpy(tiny_index().codes).long()
    return {"codes": codes[items.clamp_min(0)], "mask": items >= 0, "items": items}


@torch.no_grad()
def embedded(model, items=ITEMS):
    given = batch(items)
    return model.embed(given["codes"], None, mask=given["mask"], items=items)


def test_the_input_is_a_mean_of_code_vectors_a_level_and_a_sure_row_takes_one():
    model = made()
    row, table = model.rows[3].detach(), model.input_table
    parts = [F.softmax(scores, -1) @ table.level(level) for level, scores in enumerate(model.assign(row))]
    torch.testing.assert_close(embedded(model)[0, 0], torch.stack(parts).sum(0))
    sure = made(assignment_temperature=1e-4)
    chosen = torch.stack([scores.argmax() for scores in sure.assign(sure.rows[3])])
    torch.testing.assert_close(embedded(sure)[0, 0], sure.input_table.embed(chosen).sum(0).detach())


def test_a_row_and_not_the_given_codes_decide_and_deeper_levels_hear_the_ones_before():
    model = made()
    before, scores = embedded(model), [one.detach() for one in model.assign(model.rows[3])]
    with torch.no_grad():
        model.rows[3] += 1
    changed = (embedded(model) - before).abs().amax(-1)
    assert changed[0, 0] > 1e-3
    assert changed[0, 1:].max() == 0
    other = batch()
    other["codes"] = (other["codes"] + 1) % 4
    with torch.no_grad():
        same = model.embed(other["codes"], None, mask=other["mask"], items=ITEMS)
        torch.testing.assert_close(same[0], embedded(model)[0])
        model.input_table.level(0)[:] += torch.randn(4, 32)
        model.rows[3] -= 1
    assert (model.assign(model.rows[3])[1] - scores[1]).abs().max() > 1e-3


def test_items_without_a_row_are_read_by_their_codes():
    model = made()
    given = batch(torch.tensor([[3, 9]]))
    with torch.no_grad():
        bare = model.embed(given["codes"], None)
        torch.testing.assert_close(bare, model.input_table.embed(given["codes"]).sum(-2))
        model.config.n_items = 9
        later = embedded(model, torch.tensor([[3, 9]]))
    torch.testing.assert_close(later[0, 1], bare[0, 1])
    assert (later[0, 0] - bare[0, 0]).abs().max() > 1e-3


def test_codes_hold_items_in_training_and_their_loss_is_cross_entropy():
    losses = [float(made(assignment=weight).train()(**batch()).loss.detach()) for weight in (0.0, 1.0)]
    model, known = made(), ITEMS[ITEMS >= 0]
    codes = batch()["codes"][ITEMS >= 0]
    held = sum(F.cross_entropy(one, codes[:, level]) for level, one in enumerate(model.assign(model.rows[known])))
    assert losses[1] - losses[0] == pytest.approx(float(held.detach()), abs=1e-4)
    assert float(model(**batch()).loss.detach()) == float(made(assignment=0.0)(**batch()).loss.detach())


def test_training_makes_softly_assigned_codes_right():
    model = made(assignment=1.0).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(40):
        optimizer.zero_grad()
        output = model(**batch())
        output.loss.backward()
        optimizer.step()
    known = ITEMS[ITEMS >= 0]
    assigned = torch.stack([scores.argmax(-1) for scores in model.assign(model.rows[known])], dim=1)
    torch.testing.assert_close(assigned, batch()["codes"][ITEMS >= 0])
    assert float(output.loss.detach()) < 2
