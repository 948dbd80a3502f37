"""Times reach networks: from training rows and from histories alike, and what has none is unknown."""

from dataclasses import replace

import numpy as np
import pytest

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.models.history_batches import CodeCollator, HistoryExamples
from genrec.models.intervals import TimedExamples, WithIntervals, days_before

DAY = 86_400
START = 1_700_000_000
TIMES = START + DAY * np.array([0, 1, 4, 4, 10, 0, 2, 3])
HISTORIES = replace(Histories.from_lists([[3, 1, 2, 0, 4], [5, 6, 7]]), timestamps=TIMES)
READ = WithIntervals(CodeCollator(np.arange(16).reshape(8, 2)))


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_days_are_the_same_in_every_unit(unit):
    found = days_before(replace(HISTORIES, timestamps=TIMES * unit))
    nan = np.nan
    np.testing.assert_array_equal(found, [[nan, 1, 3, 0, 6], [nan, 2, 1, nan, nan]])


def test_without_times_every_interval_is_unknown():
    assert np.isnan(days_before(replace(HISTORIES, timestamps=None))).all()
    assert np.isnan(days_before(replace(HISTORIES, timestamps=np.arange(8)))).all()
    assert days_before(Histories.from_lists([])).shape == (0, 0)


@pytest.mark.parametrize("drop", [0.0, 0.4])
def test_rows_of_training_have_the_times_of_their_items(drop):
    timed, plain = (kind(HISTORIES, 3, drop=drop, seed=1) for kind in (TimedExamples, HistoryExamples))
    when = dict(zip(HISTORIES.items.tolist(), TIMES.tolist(), strict=True))
    for row in range(len(timed)):
        np.testing.assert_array_equal(timed[row].items, plain[row])
        assert timed[row].times.tolist() == [when[item] for item in timed[row].items.tolist()]


def test_batches_of_training_and_of_recommending_agree():
    whole = TimedExamples(HISTORIES, 10)
    trained = READ([whole[row] for row in range(2)])
    asked = READ(HISTORIES)
    for name in ("codes", "mask", "days"):
        np.testing.assert_array_equal(trained[name].numpy(), asked[name].numpy())
    bare = READ([np.array([1, 2]), np.array([3])])
    assert bare["days"].isnan().all()


@pytest.mark.parametrize("times", [None, np.arange(8)])
def test_training_without_times_is_refused(times):
    with pytest.raises(DataError, match="no times"):
        TimedExamples(replace(HISTORIES, timestamps=times), 5)
