"""Injected users: how many, what they push, and among what they hide."""

import numpy as np
import pytest

from genrec.data.attacks import inject
from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError


def crowd(n=40, items=30, seed=0):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([np.minimum(rng.geometric(0.2, rng.integers(2, 9)) - 1, items - 1) for _ in range(n)])


def test_real_users_stay_and_attackers_push_rare_items():
    before = crowd()
    found = inject(before, 30, 0.25, targets=2, seed=3)
    assert found.fake.sum() == 10
    real = found.histories.select(np.flatnonzero(~found.fake))
    np.testing.assert_array_equal(real.items, before.items)
    assert real.user_ids.tolist() == before.user_ids.tolist()
    popularity = np.bincount(before.items, minlength=30)
    assert (popularity[found.targets] <= np.median(popularity)).all()
    for row in found.histories.select(np.flatnonzero(found.fake)):
        assert set(row[1::2].tolist()) <= set(found.targets.tolist())
    again = inject(before, 30, 0.25, targets=2, seed=3)
    np.testing.assert_array_equal(again.histories.items, found.histories.items)
    assert not inject(before, 30, 0.0).fake.any()


def test_a_bandwagon_rides_on_popular_items():
    before = crowd(200)
    popularity = np.bincount(before.items, minlength=30)

    def mean(attack):
        found = inject(before, 30, 1.0, attack=attack, seed=1)
        rows = found.histories.select(np.flatnonzero(found.fake))
        return np.mean([popularity[row[::2]].mean() for row in rows])

    assert mean("bandwagon") > 2 * mean("random")


def test_wrong_attacks_are_refused():
    with pytest.raises(ConfigError, match="expected: random, bandwagon"):
        inject(crowd(), 30, 0.1, attack="bandwaggon")
    with pytest.raises(ConfigError, match="-1"):
        inject(crowd(), 30, -1)
    with pytest.raises(DataError, match="no users"):
        inject(Histories.from_lists([]), 30, 0.1)
