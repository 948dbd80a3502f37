"""Item priors: exact at the leaves, never too low on a prefix."""

import numpy as np
import pytest
import torch
from decoding_oracle import SIZES, Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior import PriorBounds
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
