from dataclasses import replace

import numpy as np
import pytest

from genrec.baselines import RecentPopularity
from genrec.data.histories import Histories
from genrec.errors import DataError

TRAIN = Histories.from_lists([[0, 1, 0, 2], [1, 2]])
IDS = ["a", "b", "c", "d"]


def test_weights_halve_with_later_interactions_of_the_user():
    weights = RecentPopularity(half_life=2.0).fit(TRAIN, IDS).background()
    h = 2**-0.5
    np.testing.assert_allclose(weights, [h**3 + h, h**2 + h, 2.0, 0.0], rtol=1e-6)


def test_weights_halve_with_time():
    timed = replace(TRAIN, timestamps=np.array([0, 10, 20, 30, 25, 40]))
    weights = RecentPopularity(half_life=10.0, unit="time").fit(timed, IDS).background()
    np.testing.assert_allclose(weights, [2**-4 + 2**-2, 2**-3 + 2**-1.5, 2**-1 + 1, 0.0], rtol=1e-6)


def test_half_lives_in_time_are_tried_only_where_time_is_known():
    assert {each["unit"] for each in RecentPopularity.candidates(TRAIN)} == {"interactions"}
    timed = replace(TRAIN, timestamps=np.arange(6) * 1000)
    grid = RecentPopularity.candidates(timed)
    assert {each["unit"] for each in grid} == {"interactions", "time"}
    assert all(each["half_life"] >= 1 for each in grid)


def test_time_without_timestamps_is_refused():
    with pytest.raises(DataError, match="real timestamps"):
        RecentPopularity(unit="time").fit(TRAIN, IDS)
