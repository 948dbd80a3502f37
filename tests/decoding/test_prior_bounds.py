"""Item priors: exact at the leaves, never too low on a prefix."""

import numpy as np
import pytest
import torch
from decoding_oracle import SIZES, Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior_bounds import PriorBounds, SparsePrior
from genrec.errors import DataError
from genrec.trie import Trie


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    own=st.booleans(),
    data=st.data(),
)
def test_bounds_and_wide_search_equal_brute_force(sizes, seed, own, data):
    sizes, users = tuple(sizes), 3
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    items, table = catalogue(n, sizes, seed), Table(users, sizes, seed)
    trie = DeviceTrie(Trie.from_codes(items, sizes))
    rng = np.random.default_rng(seed)
    prior = rng.normal(size=(users, n) if own else n) * 3
    bounds = PriorBounds(trie, torch.from_numpy(prior), weight=0.7)
    rows = np.broadcast_to(prior, (users, n)) * 0.7
    for level in range(len(sizes)):
        nodes = trie.paths(torch.arange(n))[:, level]
        held = bounds.of(level, nodes.expand(users, -1)).numpy()
        assert (held == bounds.bounds[level].expand(users, -1).gather(1, nodes.expand(users, -1)).numpy()).all()
        for item in range(n):
            below = (nodes == nodes[item]).numpy()
            np.testing.assert_allclose(held[:, item], rows[:, below].max(1), rtol=1e-6)
    found, scores = beam_search(table, table.prefill(), trie, users, beams=n, prior=bounds)
    expected = table.scores(items) + rows
    np.testing.assert_allclose(scores.numpy(), -np.sort(-expected, axis=1), atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(expected, found.numpy(), 1), scores.numpy(), atol=1e-4)


def test_a_boosted_item_is_found_behind_an_unlikely_prefix():
    """Added only to the results, the same boost would come too late for a narrow beam."""
    items, table = catalogue(100), Table(10, SIZES, 0)
    trie = DeviceTrie(Trie.from_codes(items, SIZES))
    unlikely = table.scores(items).argmin(1)
    prior = np.zeros((10, 100))
    prior[np.arange(10), unlikely] = 100
    found, _ = beam_search(table, table.prefill(), trie, 10, beams=1, prior=PriorBounds(trie, torch.from_numpy(prior)))
    assert found[:, 0].tolist() == unlikely.tolist()


def test_minus_infinity_forbids_and_zero_weight_keeps_that():
    items, table = catalogue(30), Table(2, SIZES, 0)
    trie = DeviceTrie(Trie.from_codes(items, SIZES))
    prior = torch.zeros(30)
    prior[:20] = -torch.inf
    for weight in (0.0, 1.0):
        found, _ = beam_search(table, table.prefill(), trie, 2, beams=30, prior=PriorBounds(trie, prior, weight))
        assert all(sorted(row)[-10:] == list(range(20, 30)) and row.count(-1) == 20 for row in found.tolist())


def test_wrong_scores_are_refused():
    trie = DeviceTrie(Trie.from_codes(catalogue(10), SIZES))
    for scores in (torch.zeros(9), torch.zeros(2, 3, 10)):
        with pytest.raises(DataError, match="shape"):
            PriorBounds(trie, scores)
    for wrong in (torch.nan, torch.inf):
        with pytest.raises(DataError, match="NaN"):
            PriorBounds(trie, torch.full((10,), wrong))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    shared=st.booleans(),
    negative=st.booleans(),
    share=st.floats(0, 1),
    data=st.data(),
)
def test_a_sparse_prior_is_the_dense_one(sizes, seed, shared, negative, share, data):
    sizes, users = tuple(sizes), 3
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    items, table = catalogue(n, sizes, seed), Table(users, sizes, seed)
    trie = DeviceTrie(Trie.from_codes(items, sizes))
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(users, n)) * 3 if negative else rng.uniform(0, 9, (users, n))
    own = np.where(rng.random((users, n)) < share, own, 0).astype(np.float32)
    everybody = rng.normal(size=n).astype(np.float32) if shared else np.zeros(n, np.float32)
    base = PriorBounds(trie, torch.from_numpy(everybody)) if shared else None
    row, item = own.nonzero()
    outside = np.full(2, n + 5)  # items of a larger catalogue than this trie's
    row, item = np.r_[row, [0, 1]], np.r_[item, outside]
    values = np.r_[own[own != 0], 1, 1].astype(np.float32)
    sparse = SparsePrior(trie, torch.from_numpy(row), torch.from_numpy(item), torch.from_numpy(values), base)
    dense = PriorBounds(trie, torch.from_numpy(own + everybody))
    expected = table.scores(items) + own + everybody
    for beams in (1, 2, n):
        found, scores = beam_search(table, table.prefill(), trie, users, beams=beams, prior=sparse)
        real = found >= 0
        assert bool(real.all())
        np.testing.assert_allclose(np.take_along_axis(expected, found.numpy(), 1), scores.numpy(), atol=1e-4)
        if beams == n or not negative:  # bounds are the same, too
            same, _ = beam_search(table, table.prefill(), trie, users, beams=beams, prior=dense)
            assert found.tolist() == same.tolist()
    exact = torch.from_numpy(table.scores(items)).float()
    np.testing.assert_allclose(sparse.add_to_items(exact).numpy(), expected, atol=1e-4)


def test_wrong_sparse_scores_are_refused():
    trie = DeviceTrie(Trie.from_codes(catalogue(10), SIZES))
    one = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(DataError, match="finite"):
        SparsePrior(trie, one, one, torch.tensor([-torch.inf]))
    with pytest.raises(DataError, match="rows"):
        SparsePrior(trie, one, one, torch.ones(1), PriorBounds(trie, torch.zeros(2, 10)))
