"""Filters against brute force over what is allowed."""

import numpy as np
import pytest
import torch
from decoding_oracle import Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import without
from genrec.decoding.subtries import SubTries
from genrec.decoding.top_items import members, top_items
from genrec.errors import ConfigError, DataError
from genrec.trie import Trie

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(sizes=shapes, seed=st.integers(0, 10_000), beams=st.integers(1, 9), part=st.booleans(), data=st.data())
def test_allow_and_deny_lists_of_users_equal_brute_force(sizes, seed, beams, part, data):
    sizes, users = tuple(sizes), 3
    total = int(np.prod(sizes))
    n = data.draw(st.integers(1, total))
    items = catalogue(n, sizes, seed)
    table = Table(users, sizes, seed)
    rng = np.random.default_rng(seed)
    allowed = rng.integers(-1, n + 2, size=(users, rng.integers(0, n + 3)))
    forbidden = rng.integers(-1, n, size=(users, rng.integers(0, n + 1)))
    mask = rng.random(n) < 0.6 if part else np.ones(n, dtype=bool)
    mask[rng.integers(n)] = True
    trie = SubTries(Trie.from_codes(items, sizes))(mask)
    lists = {"forbidden": torch.from_numpy(forbidden), "allowed": torch.from_numpy(allowed)}
    found, scores = beam_search(table, table.prefill(), trie, users, beams=beams, **lists)
    wide, _ = beam_search(table, table.prefill(), trie, users, beams=total, **lists)
    expected = table.scores(items)
    for user in range(users):
        may = set(np.flatnonzero(mask)) & set(allowed[user]) - set(forbidden[user])
        real = [item for item in found[user].tolist() if item >= 0]
        assert len(real) == len(set(real)) == min(beams, len(may))
        assert set(real) <= may
        np.testing.assert_allclose(scores[user][: len(real)].numpy(), expected[user, real], atol=1e-4)
        best = sorted(may, key=lambda item: -expected[user, item])
        assert [item for item in wide[user].tolist() if item >= 0] == best


def test_empty_lists():
    table = Table(2, (3, 3), 0)
    trie = DeviceTrie(Trie.from_codes(catalogue(9, (3, 3)), (3, 3)))
    none = torch.zeros(2, 0, dtype=torch.int64)
    found, _ = beam_search(table, table.prefill(), trie, 2, beams=9, forbidden=none)
    assert (found >= 0).all()
    found, scores = beam_search(table, table.prefill(), trie, 2, beams=9, allowed=none)
    assert (found == -1).all()
    assert (scores == -torch.inf).all()


def test_sub_tries_are_remembered_and_named():
    trie = Trie.from_codes(catalogue(40), (4, 5, 6))
    cheap = np.arange(40) < 10
    tries = SubTries(trie, named={"cheap": cheap}, keep=1)
    assert tries() is tries(None) is tries(np.ones(40, dtype=bool))
    first = tries(tries.mask("cheap"))
    assert sorted(first.items.tolist()) == list(range(10))
    assert tries(cheap.copy()) is first
    tries(np.arange(40) < 3)
    tries(np.arange(40) < 4)
    assert tries(cheap) is not first  # it was not used for long enough
    with pytest.raises(ConfigError, match="Did you mean 'cheap'"):
        tries.mask("chaep")
    with pytest.raises(DataError, match="sub-catalogue 'few'"):
        tries.define("few", np.arange(40))
    with pytest.raises(DataError, match="no items"):
        tries(np.zeros(40, dtype=bool))


def test_without_and_members():
    items = torch.tensor([[3, 1, -1, 2], [5, 5, 0, -1]])
    assert without(items, torch.tensor([[1, 9], [-1, 5]])).tolist() == [[3, -1, -1, 2], [-1, -1, 0, -1]]
    assert without(items, torch.zeros(2, 0, dtype=torch.int64)) is items
    assert members(items, 5).tolist() == [[False, True, True, True, False], [True, False, False, False, False]]


def test_top_items_equals_sorting():
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(3, 20)))
    forbidden, allowed = torch.tensor([[4, 5], [-1, 0], [1, 2]]), torch.from_numpy(rng.integers(-1, 20, (3, 9)))
    items, best = top_items(scores, 6, forbidden=forbidden, allowed=allowed)
    for user in range(3):
        may = {item for item in allowed[user].tolist() if item >= 0} - set(forbidden[user].tolist())
        expected = sorted(may, key=lambda item: -float(scores[user, item]))[:6]
        assert [item for item in items[user].tolist() if item >= 0] == expected
        assert (best[user][len(expected) :] == -torch.inf).all()
