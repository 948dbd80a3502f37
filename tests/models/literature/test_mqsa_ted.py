"""MQSA-TED: windows that ask together, two stacks, and item vectors drawn towards transitions."""

import pytest
import torch
from networks import SIZES, tiny_index
from support import QWEN

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.models import build_model
from genrec.models.literature.mqsa_ted import Block, divergence, transitions, window_mean

ITEMS = torch.tensor([[3, 9, 15, 2], [20, 7, -1, -1]])
HISTORIES = Histories.from_lists([[3, 9, 15, 2], [20, 7, 9], [3, 9], []])


def made(**options):
    torch.manual_seed(0)
    settings = {"n_items": 60, "vector_dim": 12, "dim": 16, "backbone": QWEN, "dropout": 0.0, **options}
    model = build_model("mqsa-ted", SIZES, **settings).eval().bind(tiny_index())
    model.learns_from(HISTORIES, seed=0)
    with torch.no_grad():
        model.rows.mul_(20)
    return model


def batch(model, items=ITEMS):
    return {"codes": model.codes[items.clamp_min(0)], "mask": items >= 0, "items": items}


def test_windows_are_means_of_the_newest_real_items():
    vectors = torch.arange(1.0, 6.0)[None, :, None]
    mask = torch.tensor([[False, True, True, True, False]])
    assert window_mean(vectors, mask, 1)[0, 1:4, 0].tolist() == [2, 3, 4]
    assert window_mean(vectors, mask, 2)[0, 1:4, 0].tolist() == [2, 2.5, 3.5]
    assert window_mean(vectors, mask, 9)[0, 1:4, 0].tolist() == [2, 2.5, 3]


@torch.no_grad()
def test_a_block_asks_with_its_window_and_looks_at_everything():
    vectors, mask = torch.randn(1, 6, 16), torch.ones(1, 6, dtype=torch.bool)
    seen = torch.ones(6, 6, dtype=torch.bool).tril()[None]
    for window in (1, 3):
        block = Block(16, 1, window, 0.0).eval()
        block.cross.out.weight.zero_()  # nothing is found, so what asks is left
        other = vectors.clone()
        other[0, 2] += torch.randn(16)
        changed = (block(other, mask, seen) - block(vectors, mask, seen)).abs().amax(-1)[0] > 1e-5
        assert changed.nonzero()[:, 0].tolist() == list(range(2, 2 + window))


@torch.no_grad()
def test_the_share_mixes_both_stacks():
    items, mask = ITEMS.clamp_min(0), ITEMS >= 0
    found = {}
    for share in (0.0, 0.25, 1.0):
        model = made(short_share=share)
        found[share] = model.states(items, mask, model.table())[:, 1:]
    torch.testing.assert_close(found[0.25], 0.25 * found[1.0] + 0.75 * found[0.0])
    assert (found[0.0] - found[1.0])[mask].abs().max() > 1e-2


@torch.no_grad()
def test_no_later_item_and_no_padding_changes_a_prediction():
    model = made()
    early = torch.zeros(2, 4, dtype=torch.bool)
    early[:, :2] = True
    other = ITEMS.clone()
    other[0, 2:] = torch.tensor([40, 41])
    found = [model(**batch(model, items), target_mask=early).log_likelihood for items in (ITEMS, other)]
    torch.testing.assert_close(*found)
    left = torch.tensor([[-1, -1, 20, 7]])
    alone, both = (model.prefill(**batch(model, items)).scores for items in (left, ITEMS))
    torch.testing.assert_close(alone[0], both[1], atol=1e-5, rtol=1e-5)
    scores = model.prefill(**batch(model, ITEMS[:1, :3])).scores.log_softmax(1)
    last = torch.tensor([[False, False, False, True]])
    likelihood = model(**batch(model, ITEMS[:1]), target_mask=last).log_likelihood
    assert float(scores[0, 2]) == pytest.approx(float(likelihood), abs=1e-4)


def test_transitions_count_the_next_item_of_the_same_user():
    counts = transitions(HISTORIES, 60)
    assert counts[[3], [9]].item() == 2
    assert counts[[7], [9]].item() == 1
    assert counts.sum() == 6
    assert counts[[2], [20]].item() == 0


def test_the_divergence_is_zero_for_the_same_and_grows_with_the_difference():
    counts = torch.tensor([[4.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    same = counts / counts.amax(1, keepdim=True) + torch.tensor([[5.0], [-2.0]])
    assert float(divergence(counts, same, 0.1)) == pytest.approx(0, abs=1e-5)
    near, far = (float(divergence(counts, same + size * torch.randn(2, 3), 0.1)) for size in (0.1, 1.0))
    assert 0 < near < far


def test_distillation_alone_teaches_what_follows_what():
    model = made(distillation=1.0).train()
    frozen = [name for name, _ in model.named_parameters() if name != "rows"]
    optimizer = torch.optim.Adam([model.rows], lr=5e-2)
    chosen = torch.tensor([3, 9, 20, 7])
    before = float(model._distilled(chosen).detach())
    for _ in range(80):
        optimizer.zero_grad()
        model._distilled(chosen).backward()
        optimizer.step()
    assert frozen
    assert float(model._distilled(chosen).detach()) < 0.6 * before
    products = (model.table()[0][3] @ model.table()[0].T).detach()
    assert products.argsort(descending=True)[:2].tolist().count(9) == 1  # beside itself


def test_the_loss_has_it_in_training_alone():
    model = made(distillation=1.0)
    plain = float(model(**batch(model)).loss.detach())
    model.train()
    with_it = float(model(**batch(model)).loss.detach())
    model.config.distillation = 0.0
    assert float(model(**batch(model)).loss.detach()) == pytest.approx(plain, abs=1e-5)
    assert with_it > plain + 0.1


def test_it_learns_a_fixed_sequence():
    model = made(distillation=0.0).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch(model)).loss.backward()
        optimizer.step()
    model.eval()
    assert int(model.prefill(**batch(model, ITEMS[:1, :3])).scores.argmax()) == 2


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="attention_heads"):
        made(attention_heads=3)
    with pytest.raises(ConfigError, match="window"):
        made(window=0)


@torch.no_grad()
def test_a_search_computes_its_table_once_and_forgets_it_before_weights_change():
    model, calls = made(), []
    plain = model.prefill(**batch(model)).scores
    table = model.table
    model.table = lambda: calls.append(1) or table()
    with model.decoding():
        for _ in range(3):
            torch.testing.assert_close(model.prefill(**batch(model)).scores, plain)
        assert len(calls) == 1
        index = tiny_index()
        index.fingerprint = "two"
        twin = model.bind(index)
        twin.prefill(**batch(model))
        assert len(calls) == 2
    model.rows.add_(1)
    with model.decoding():
        assert (model.prefill(**batch(model)).scores - plain).abs().max() > 1e-3
    model.stays_ready = True
    with model.decoding():
        model.prefill(**batch(model))
    model.train()
    model.rows.sub_(1)
    model.eval()
    with model.decoding():
        torch.testing.assert_close(model.prefill(**batch(model)).scores, plain, atol=1e-5, rtol=1e-5)


def test_objectives_can_ask_for_states():
    model = made()
    output = model(**batch(model))
    assert output.states.shape == (6, model.state_dim)
    assert output.places.tolist() == [0, 1, 2, 3, 0, 1]
    torch.testing.assert_close(output.targets, model.codes[ITEMS[ITEMS >= 0]])
