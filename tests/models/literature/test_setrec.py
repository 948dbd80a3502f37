"""SETRec: an item's vectors have no order, see only earlier items, and are scored together, exactly."""

import numpy as np
import pytest
import torch
from networks import SIZES, tiny_index
from support import QWEN

from genrec.data.histories import Histories
from genrec.errors import ArtifactError, ModelError
from genrec.models import build_model
from genrec.models.literature.setrec import set_mask

ITEMS = torch.tensor([[3, 9, 15, 2], [20, 7, -1, -1]])


def made(**options):
    torch.manual_seed(0)
    settings = {"n_items": 60, "vector_dim": 12, "pair_dim": 8, **options}
    model = build_model("setrec", SIZES, backbone=QWEN, **settings).eval().bind(tiny_index())
    model.learns_from(Histories.from_lists([[3, 9, 15, 2], [20, 7, 9], [2, 3]]), seed=0)
    return model


def batch(model, items=ITEMS):
    return {"codes": model.codes[items.clamp_min(0)], "mask": items >= 0, "items": items}


def test_who_sees_whom():
    """Two items of two vectors, then the queries for the item after the first and after the second."""
    place = torch.tensor([[0, 0, 1, 1, 1, 1, 2, 2]])
    real = torch.tensor([[True] * 4 + [False] * 4])
    expected = [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 0],
        [1, 1, 0, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 0, 0, 1, 0],
        [1, 1, 1, 1, 0, 0, 0, 1],
    ]
    assert set_mask(place, real)[0].long().tolist() == expected


@torch.no_grad()
def test_the_order_inside_an_item_changes_nothing_and_that_of_items_does():
    model, mask = made(), ITEMS >= 0
    sets = model.table()[:, ITEMS.clamp_min(0)].permute(1, 2, 0, 3)
    places = torch.tensor([[1, 4], [1, 2]])
    plain = model.read(sets, mask, places)
    shuffled = sets.clone()
    shuffled[0, 1] = sets[0, 1, [4, 2, 0, 1, 3]]
    shuffled[1, 0] = sets[1, 0, [1, 0, 3, 4, 2]]
    torch.testing.assert_close(model.read(shuffled, mask, places), plain, atol=1e-5, rtol=1e-5)
    swapped = sets[:, [1, 0, 2, 3]]
    assert (model.read(swapped, mask, places)[0, 1] - plain[0, 1]).abs().max() > 1e-3


@torch.no_grad()
def test_queries_of_training_and_of_decoding_read_the_same():
    model, mask = made(), ITEMS >= 0
    items, table = model.known(ITEMS, mask), model.table()
    states = model.states(items, mask, table)
    torch.testing.assert_close(model.newest(items, mask, table), torch.stack([states[0, 4], states[1, 2]]))
    left = torch.tensor([[-1, -1, 20, 7]])
    alone = model.newest(model.known(left, left >= 0), left >= 0, table)
    torch.testing.assert_close(alone[0], states[1, 2], atol=1e-5, rtol=1e-5)
    empty = torch.zeros(1, 2, dtype=torch.long)
    torch.testing.assert_close(model.newest(empty, empty > 0, table)[0], states[0, 0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_later_item_changes_no_earlier_prediction():
    model = made()
    early = torch.zeros(2, 4, dtype=torch.bool)
    early[:, :2] = True
    other = ITEMS.clone()
    other[0, 2:] = torch.tensor([40, 41])
    found = [model(**batch(model, items), target_mask=early).log_likelihood for items in (ITEMS, other)]
    torch.testing.assert_close(*found)


@torch.no_grad()
def test_scores_are_sums_over_the_vectors_of_an_item():
    model = made(semantic_share=0.3)
    states, table = model.newest(model.known(ITEMS, ITEMS >= 0), ITEMS >= 0, model.table()), model.table()
    scores = model.prefill(**batch(model)).scores
    for user, item in [(0, 5), (1, 59)]:
        each = (states[user] * table[:, item]).sum(-1)
        assert float(scores[user, item]) == pytest.approx(float(0.7 * each[0] + 0.3 * each[1:].sum()), abs=1e-5)
    cold = made(semantic_share=1.0)
    before = cold.prefill(**batch(cold)).scores
    cold.pairs[30] = 9.0  # who buys an item counts nothing where it is not in the history
    torch.testing.assert_close(cold.prefill(**batch(cold)).scores, before)


def test_it_learns_a_fixed_sequence_and_its_texts():
    model = made(dropout=0.0).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        output = model(**batch(model))
        losses.append(float(output.loss.detach()))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]
    assert int(output.n_targets) == 6
    model.eval()
    with torch.no_grad():
        first = torch.tensor([[3, 9, 15]])
        assert int(model.prefill(**batch(model, first)).scores.argmax()) == 2


def test_large_catalogues_are_sampled_and_targets_are_always_there():
    model = made(candidates=5).train()
    sampled = model(**batch(model))
    assert torch.isfinite(sampled.loss)
    assert sampled.log_likelihood[0] > model.eval()(**batch(model)).log_likelihood[0]


def test_it_is_bound_to_an_index_that_fits_or_to_one_that_has_grown():
    model, index = made(), tiny_index()
    with torch.no_grad():
        index.vectors = lambda: np.ones((70, 12), dtype=np.float32)
        index.codes, index.fingerprint = np.zeros((70, 3), dtype=np.int64), "two"
        grown = model.bind(index)
        assert grown is not model
        assert grown.table().shape[1] == 70
        assert model.table().shape[1] == 60
        assert grown.table()[0, 60:].abs().max() == 0  # nobody has bought these yet
    index.vectors = lambda: np.ones((50, 12), dtype=np.float32)
    with pytest.raises(ArtifactError, match="50 items"):
        model.bind(index)
    with pytest.raises(ModelError, match="not bound"):
        build_model("setrec", SIZES, backbone=QWEN, n_items=60, vector_dim=12).table()
