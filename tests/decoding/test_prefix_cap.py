"""At most n results under a prefix: the greedy list over exact scores is the reference."""

import numpy as np
import pytest
from decoding_oracle import SIZES, Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prefix_cap import PrefixCap
from genrec.errors import ConfigError
from genrec.trie import Trie


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    seed=st.integers(0, 1000),
    beams=st.integers(1, 10),
    most=st.integers(1, 3),
    data=st.data(),
)
def test_the_limit_holds_and_costs_no_items(sizes, seed, beams, most, data):
    sizes, users = tuple(sizes), 3
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    length = data.draw(st.integers(1, len(sizes) - 1))
    items, table = catalogue(n, sizes, seed), Table(users, sizes, seed)
    trie = DeviceTrie(Trie.from_codes(items, sizes))
    cap = PrefixCap(trie, length, most)
    found, scores = beam_search(table, table.prefill(), trie, users, beams=beams, cap=cap)
    wide, _ = beam_search(table, table.prefill(), trie, users, beams=n, cap=cap)
    expected = table.scores(items)
    prefixes = [tuple(path[:length]) for path in items.tolist()]
    possible = sum(min(most, prefixes.count(prefix)) for prefix in set(prefixes))
    for user in range(users):
        real = [item for item in found[user].tolist() if item >= 0]
        assert len(real) == len(set(real)) == min(beams, possible)
        held = [prefixes[item] for item in real]
        assert max(held.count(prefix) for prefix in held) <= most
        np.testing.assert_allclose(scores[user][: len(real)].numpy(), expected[user, real], atol=1e-4)
        greedy = []
        for item in np.argsort(-expected[user]):
            if [prefixes[other] for other in greedy].count(prefixes[item]) < most:
                greedy.append(int(item))
        assert [item for item in wide[user].tolist() if item >= 0] == greedy


def test_a_limit_that_never_binds_changes_nothing():
    items, table = catalogue(100), Table(4, SIZES, 0)
    trie = DeviceTrie(Trie.from_codes(items, SIZES))
    plain, scores = beam_search(table, table.prefill(), trie, 4, beams=7)
    capped, capped_scores = beam_search(table, table.prefill(), trie, 4, beams=7, cap=PrefixCap(trie, 1, 100))
    assert capped.tolist() == plain.tolist()
    np.testing.assert_allclose(capped_scores.numpy(), scores.numpy())


@pytest.mark.parametrize(("length", "most"), [(0, 1), (3, 1), (1, 0)])
def test_impossible_limits_are_refused(length, most):
    trie = DeviceTrie(Trie.from_codes(catalogue(10), SIZES))
    with pytest.raises(ConfigError, match="limit"):
        PrefixCap(trie, length, most)
