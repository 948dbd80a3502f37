import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, global_time, leave_one_out
from genrec.errors import ConfigError, DataError
from genrec.evaluation.slices import (
    by_case_column,
    by_history_length,
    by_item_column,
    by_novelty,
    by_popularity,
    by_time_since_last,
    by_user,
    by_user_column,
    default_slices,
    popularity_classes,
)


def cases(histories, targets):
    return EvaluationSet(Histories.from_lists(histories), np.array(targets, dtype=np.int32))


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=5), st.integers(0, 5)), min_size=1, max_size=8))
def test_repeat_targets_are_those_in_the_history(rows):
    masks = by_novelty(cases([history for history, _ in rows], [target for _, target in rows]))
    assert masks["repeat"].tolist() == [target in history for history, target in rows]
    assert (masks["novel"] == ~masks["repeat"]).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_popularity_classes_are_thirds_of_the_interactions(counts):
    counts = np.array(counts)
    train = Histories.from_lists([np.repeat(np.arange(len(counts)), counts).tolist()])
    classes = popularity_classes(train, len(counts))
    assert ((classes == 3) == (counts == 0)).all()
    for item, count in enumerate(counts):
        if count:
            before = counts[counts > count].sum() / counts.sum()
            assert classes[item] == (0 if before < 1 / 3 else 1 if before < 2 / 3 else 2)


def test_slices_by_popularity_split_the_cases():
    train = Histories.from_lists([[0] * 9 + [1] * 6 + [2] * 3 + [3]])
    masks = by_popularity(train, 5)(cases([[0]] * 5, [0, 1, 2, 3, 4]))
    assert sum(mask.astype(int) for mask in masks.values()).tolist() == [1] * 5
    assert masks["head"].tolist() == [True, False, False, False, False]
    assert masks["cold"].tolist() == [False] * 4 + [True]


def test_slices_by_history_length():
    masks = by_history_length((2, 4))(cases([[1], [1] * 2, [1] * 3, [1] * 4, []], [0] * 5))
    assert {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()} == {
        "history-below-2": [0, 4],
        "history-2-3": [1, 2],
        "history-from-4": [3],
    }


@pytest.mark.parametrize("edges", [(), (0, 3), (5, 5), (6, 2)])
def test_impossible_lengths_are_refused(edges):
    with pytest.raises(ConfigError):
        by_history_length(edges)


def test_slices_from_columns():
    three = EvaluationSet(Histories.from_lists([[1], [2], [3]], ["x", "y", "z"]), np.array([2, 0, 1], dtype=np.int32))
    by_case = by_case_column("season", ["winter", float("nan"), "winter"])(three)
    assert {name: mask.tolist() for name, mask in by_case.items()} == {
        "season=?": [False, True, False],
        "season=winter": [True, False, True],
    }
    by_user = by_user_column("land", {"x": "nl", "z": "be"})(three)
    assert {name: mask.tolist() for name, mask in by_user.items()} == {
        "land=?": [False, True, False],
        "land=be": [False, False, True],
        "land=nl": [True, False, False],
    }
    by_item = by_item_column("brand", ["a", "b", "a"])(three)
    assert by_item["brand=a"].tolist() == [True, True, False]


def test_columns_that_do_not_fit_are_refused():
    two = cases([[1], [2]], [0, 5])
    with pytest.raises(DataError, match="3 values for 2 cases"):
        by_case_column("season", [1, 2, 3])(two)
    with pytest.raises(DataError, match="more items"):
        by_item_column("brand", ["a"])(two)


def timed(rows, user_ids=None):
    """Histories from lists of (item, time)."""
    plain = Histories.from_lists([[item for item, _ in row] for row in rows], user_ids)
    times = np.array([time for row in rows for _, time in row], dtype=np.int64)
    return Histories(plain.user_ids, plain.offsets, plain.items, times)


@pytest.mark.parametrize("factor", [1, 1000], ids=["seconds", "milliseconds"])
def test_time_since_last_in_any_unit(factor):
    start, gaps = 1_500_000_000, [0, 60, 3_600, 90_000, 700_000, 9_000_000]
    rows = [[(0, (start - 5) * factor), (1, start * factor), (2, (start + gap) * factor)] for gap in gaps]
    masks = by_time_since_last(leave_one_out(timed(rows)).test)
    assert [mask.tolist().index(True) for mask in masks.values()] == list(range(6))
    assert list(masks) == ["gap-none", "gap-below-1h", "gap-1h-1d", "gap-1d-7d", "gap-7d-30d", "gap-from-30d"]
    assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()


def test_no_slices_of_time_without_real_times():
    assert by_time_since_last(cases([[1]], [2])) == {}
    assert by_time_since_last(leave_one_out(timed([[(0, 1), (1, 2), (2, 3)]])).test) == {}


def test_cold_users_are_those_without_training_events():
    start = 1_500_000_000
    rows = [[(n, start + 10 * n) for n in range(6)], [(n, start + 35 + 10 * n) for n in range(3)]]
    split = global_time(timed(rows, ["old", "new"]), validation_from=start + 20, test_from=start + 40)
    masks = by_user(split.train)(split.test)
    assert split.test.histories.user_ids.tolist() == ["old", "new"]
    assert masks["cold-user"].tolist() == [False, True]
    assert masks["warm-user"].tolist() == [True, False]


def test_the_slices_of_every_report_do_not_clash_and_each_family_adds_up():
    rng = np.random.default_rng(0)
    rows = [[(int(i), 1_500_000_000 + 50_000 * n) for n, i in enumerate(rng.integers(0, 9, 12))] for _ in range(20)]
    split = leave_one_out(timed(rows))
    names = []
    for slicer in default_slices(split, [str(n) for n in range(9)]):
        masks = slicer(split.test)
        assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()
        names += list(masks)
    assert len(names) == len(set(names))
    assert {"novel", "cold", "cold-user", "history-10-19", "gap-1h-1d"} < set(names)


def test_cases_keep_the_times_of_their_targets():
    split = leave_one_out(timed([[(0, 100), (1, 200), (2, 300)], [(3, 5), (4, 6), (5, 7)]]))
    assert split.test.timestamps.tolist() == [300, 7]
    assert split.test.select(np.array([False, True])).timestamps.tolist() == [7]
    assert leave_one_out(Histories.from_lists([[1, 2, 3]])).test.timestamps is None
