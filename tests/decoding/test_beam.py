"""Beam search against exhaustive scoring: real items, no duplicates, exact filters, no dependence on the batch."""

import numpy as np
import pytest
import torch
from decoding_oracle import SIZES, Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.trie import Trie


def batch(users=4, items=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.randint(0, size, (users, items), generator=generator) for size in SIZES], dim=-1)
    mask = torch.arange(items) < torch.randint(1, items + 1, (users, 1), generator=generator)
    return codes, mask


@torch.no_grad()
def exhaustive(model, codes, mask, catalogue_codes):
    """Log-probability of every item by teacher forcing, one user and item at a time: ``(users, n_items)``."""
    scores = np.zeros((len(codes), len(catalogue_codes)))
    for user in range(len(codes)):
        history = codes[user][mask[user]]
        rows = torch.stack(
            [torch.cat([history, torch.tensor(item[None])]) for item in catalogue_codes.astype(np.int64)]
        )
        target = torch.zeros(1, rows.shape[1], dtype=torch.bool)
        target[0, -1] = True
        for item in range(len(rows)):
            scores[user, item] = -float(model(rows[item : item + 1], torch.ones_like(target), target).loss)
    return scores


@pytest.mark.parametrize("normalize", ["codes", "children"])
def test_beams_as_wide_as_the_catalogue_equal_exhaustive_scoring(architecture, tiny_model, normalize):
    model = tiny_model(architecture, SIZES)
    items = catalogue(30)
    codes, mask = batch(users=3)
    found, scores = beam_search(
        model, model.prefill(codes, mask), DeviceTrie(Trie.from_codes(items, SIZES)), 3, beams=30, normalize=normalize
    )
    assert all(sorted(row) == list(range(30)) for row in found.tolist())
    if normalize == "codes":
        expected = exhaustive(model, codes, mask, items)
        np.testing.assert_allclose(np.take_along_axis(expected, found.numpy(), 1), scores.numpy(), atol=1e-4)
    else:
        np.testing.assert_allclose(np.exp(scores.numpy()).sum(1), 1, atol=1e-4)
    assert (np.diff(scores.numpy(), axis=1) <= 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
    beams=st.integers(1, 8),
    data=st.data(),
)
def test_filters_equal_brute_force_over_the_allowed_items(sizes, seed, beams, data):
    sizes = tuple(sizes)
    total = int(np.prod(sizes))
    n = data.draw(st.integers(1, total))
    items = catalogue(n, sizes, seed)
    users = 3
    table = Table(users, sizes, seed)
    rng = np.random.default_rng(seed)
    forbidden = rng.integers(-1, n, size=(users, rng.integers(0, 2 * n + 1)))
    trie = DeviceTrie(Trie.from_codes(items, sizes))
    found, scores = beam_search(table, table.prefill(), trie, users, beams=beams, forbidden=torch.from_numpy(forbidden))
    wide, wide_scores = beam_search(
        table, table.prefill(), trie, users, beams=total, forbidden=torch.from_numpy(forbidden)
    )
    expected = table.scores(items)
    for user in range(users):
        allowed = set(range(n)) - set(forbidden[user].tolist())
        real = [item for item in found[user].tolist() if item >= 0]
        assert len(real) == len(set(real)) == min(beams, len(allowed))
        assert set(real) <= allowed
        assert found[user].tolist()[: len(real)] == real  # fillers only at the end
        np.testing.assert_allclose(scores[user][: len(real)].numpy(), expected[user, real], atol=1e-4)
        best = sorted(allowed, key=lambda item: -expected[user, item])
        assert [item for item in wide[user].tolist() if item >= 0] == best
        np.testing.assert_allclose(wide_scores[user][: len(best)].numpy(), expected[user, best], atol=1e-4)


def test_a_user_does_not_depend_on_the_batch(architecture, tiny_model):
    model = tiny_model(architecture, SIZES)
    trie = DeviceTrie(Trie.from_codes(catalogue(60), SIZES))
    codes, mask = batch(users=6)
    together, scores = beam_search(model, model.prefill(codes, mask), trie, 6, beams=8)
    for user in range(6):
        length = int(mask[user].sum())
        state = model.prefill(codes[user : user + 1, :length], mask[user : user + 1, :length])
        alone, alone_scores = beam_search(model, state, trie, 1, beams=8)
        assert alone[0].tolist() == together[user].tolist()
        torch.testing.assert_close(alone_scores[0], scores[user], atol=1e-4, rtol=1e-4)


def test_nothing_allowed_gives_nothing():
    table = Table(2, (2, 2), 0)
    trie = DeviceTrie(Trie.from_codes(catalogue(4, (2, 2)), (2, 2)))
    every = torch.arange(4).expand(2, 4)
    found, scores = beam_search(table, table.prefill(), trie, 2, beams=3, forbidden=every)
    assert (found == -1).all()
    assert (scores == -torch.inf).all()


@pytest.mark.parametrize("sizes", [(7,), (1, 1, 1), (3, 200, 2)])
def test_paths_and_leaf_counts(sizes):
    items = catalogue(min(int(np.prod(sizes)), 150), sizes)
    trie = DeviceTrie(Trie.from_codes(items, sizes))
    for level in range(len(sizes)):
        assert int(trie.leaves[level].sum()) == len(items)
        np.testing.assert_array_equal(
            trie.codes[level][trie.paths(torch.arange(len(items)))[:, level]].numpy(), items[:, level]
        )
