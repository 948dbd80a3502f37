"""REG4Rec: codes in any order, each step told which comes next, and doubt where orders disagree."""

import pytest
import torch
from support import QWEN

from genrec.errors import ConfigError
from genrec.models import build_model, find_network
from genrec.models.settings import ModelSettings
from genrec.trie import Trie

SIZES = (5, 6, 7, 3)
CODES = torch.tensor([[[0, 1, 2, 0], [3, 4, 5, 1], [1, 1, 1, 2]], [[2, 0, 6, 0], [4, 5, 0, 1], [0, 0, 0, 0]]])
MASK = torch.tensor([[True, True, True], [True, True, False]])


def made(**options):
    torch.manual_seed(0)
    model = build_model("reg4rec", SIZES, backbone=QWEN, **{"slots": 3, "dropout": 0.0, **options}).eval()
    with torch.no_grad():
        for table in (model.input_table, model.code_table, model.output_table):
            table.weight.mul_(30)
        model.asked.normal_(std=0.5)
    return model


def with_order(model, *order):
    model.draw = lambda n: torch.tensor(order).expand(n, -1)
    return model


@torch.no_grad()
def test_a_code_is_predicted_from_those_ahead_of_it_in_its_order_alone():
    model, states = with_order(made(), 2, 0, 1, 3), torch.randn(1, 32)
    right = torch.tensor([[1, 2, 3, 0]])
    before = model.write(states, right)
    for level, blind in [(0, {2, 0}), (1, {2, 0, 1}), (2, {2}), (3, {0, 1, 2, 3})]:
        other = right.clone()
        other[0, level] = (right[0, level] + 1) % SIZES[level]
        changed = ((model.write(states, other) - before).abs().amax(-1)[0] > 1e-5).nonzero()[:, 0].tolist()
        assert set(changed) == {0, 1, 2, 3} - blind


@torch.no_grad()
def test_each_step_is_told_which_codebook_comes_next():
    model, states = with_order(made(), 1, 0, 2, 3), torch.randn(1, 32)
    right = torch.tensor([[1, 2, 3, 0]])
    first = model.write(states, right)[0, 1]  # nothing is known yet, and level 1 is asked for
    model.asked[1] = model.asked[0]
    assert (model.write(states, right)[0, 1] - first).abs().max() > 1e-3


def test_orders_are_drawn_in_training_alone_and_what_disambiguates_stays_last():
    model = made()
    assert model.draw(2).tolist() == [[0, 1, 2, 3]] * 2
    drawn = model.train().draw(200)
    assert len({tuple(one) for one in drawn.tolist()}) == 6
    assert (drawn[:, 3] == 3).all()
    assert (drawn.sort(1).values == torch.arange(4)).all()


@torch.no_grad()
def searched(model):
    """Log-probability of one item by steps, with another beam beside it."""
    state, item, other = model.prefill(CODES, MASK), (1, 4, 2, 1), (4, 0, 3, 2)
    total, parents = torch.zeros(2), torch.tensor([[0, 0]]).expand(2, 2)
    scores = model.step(state)[:, 0]
    for level in range(4):
        total = total + scores[:, item[level]]
        if level < 3:
            chosen = torch.tensor([[other[level], item[level]]]).expand(2, 2)
            scores = model.step(state, chosen, parents)[:, 1]
            parents = torch.tensor([[0, 1]]).expand(2, 2)
    return total, item


@torch.no_grad()
def test_search_in_one_order_is_the_training_loss():
    model = made(orders=1)
    total, item = searched(model)
    for user, length in [(0, 3), (1, 2)]:
        whole = torch.cat([CODES[user, :length], torch.tensor([item])])[None]
        target = torch.zeros(1, length + 1, dtype=torch.bool)
        target[0, -1] = True
        likelihood = model(whole, torch.ones_like(target), target).log_likelihood
        assert float(likelihood[0]) == pytest.approx(float(total[user]), abs=1e-4)


def test_codes_so_far_are_read_in_rotations_of_the_free_ones():
    model = made(orders=2)
    assert [model.readings(level) for level in range(3)] == [[[]], [[0]], [[0, 1], [1, 0]]]
    assert model.readings(3) == [[0, 1, 2], [1, 2, 0]]
    long = build_model("reg4rec", (*SIZES, 2), backbone=QWEN, slots=3, orders=3)
    assert long.readings(4) == [[0, 1, 2, 3], [1, 2, 0, 3], [2, 0, 1, 3]]


def test_doubt_lowers_scores_where_orders_disagree_and_nowhere_else():
    plain, doubting = (searched(made(doubt=doubt))[0] for doubt in (0.0, 1.0))
    assert (doubting < plain - 1e-3).all()
    torch.testing.assert_close(searched(made(orders=1, doubt=1.0))[0], searched(made(orders=1, doubt=0.0))[0])
    agreeing = []
    for doubt in (0.0, 1.0):
        model = made(doubt=doubt)
        with torch.no_grad():  # a code decoder that neither hears nor sees codes: every order says the same
            model.code_table.weight.zero_()
            for layer in model.codes.layers:
                layer.self_attn.o_proj.weight.zero_()
        agreeing.append(searched(model)[0])
    torch.testing.assert_close(*agreeing, atol=1e-4, rtol=1e-4)


def test_any_order_is_learned():
    model = made(orders=3).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model(CODES, MASK).loss.backward()
        optimizer.step()
    with torch.no_grad():
        for order in ([0, 1, 2, 3], [2, 1, 0, 3], [1, 2, 0, 3]):
            assert float(with_order(model.eval(), *order)(CODES, MASK).loss) < 2.0


def test_slots_follow_from_the_quantizer_and_legal_children_are_refused():
    fields = find_network("reg4rec").fields(
        ModelSettings(architecture="reg4rec"), {"name": "parallel-vq", "slots": 4}, 8
    )
    assert fields["slots"] == 4
    own = ModelSettings(architecture="reg4rec", options={"slots": 2})
    assert find_network("reg4rec").fields(own, {"name": "parallel-vq", "slots": 4}, 8)["slots"] == 2
    with pytest.raises(ConfigError, match="no legal children"):
        made().prepare(Trie.from_codes(CODES.flatten(0, 1)[:2].numpy(), SIZES), trie_masked_loss=True)
    with pytest.raises(ConfigError, match="orders"):
        made(orders=0)
