import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data import Histories, Interactions, custom_split, global_time, leave_one_out, make_split
from genrec.errors import ConfigError, DataError

lists = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=6)


def plain(histories):
    return [history.tolist() for history in histories]


def timed(sequences, times):
    histories = Histories.from_lists(sequences)
    return Histories(histories.user_ids, histories.offsets, histories.items, np.concatenate(times).astype(np.int64))


@settings(deadline=None, derandomize=True)
@given(lists)
def test_leave_one_out(sequences):
    histories = Histories.from_lists(sequences)
    long = [s for s in sequences if len(s) >= 3]
    if not long:
        with pytest.raises(DataError, match=r"No user has 3 items(.|\n)*--split global-time"):
            leave_one_out(histories)
        return
    split = leave_one_out(histories)
    assert plain(split.train) == [s[:-2] if len(s) >= 3 else s for s in sequences]
    assert plain(split.validation.histories) == [s[:-2] for s in long]
    assert split.validation.targets.tolist() == [s[-2] for s in long]
    assert plain(split.test.histories) == [s[:-1] for s in long]
    assert split.test.targets.tolist() == [s[-1] for s in long]
    assert split.test.targets.dtype == np.int32
    owners = [str(n) for n, s in enumerate(sequences) if len(s) >= 3]
    assert split.test.histories.user_ids.tolist() == owners
    assert split.name == "leave-one-out"


def test_leave_one_out_min_length():
    split = leave_one_out(Histories.from_lists([[1, 2, 3], [1, 2, 3, 4, 5]]), min_length=5)
    assert plain(split.train) == [[1, 2, 3], [1, 2, 3]]
    with pytest.raises(ConfigError, match="min_length is 2"):
        leave_one_out(Histories.from_lists([[1, 2, 3]]), min_length=2)


events = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=7).map(sorted), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True)
@given(events, st.sampled_from(["last", "first", "all"]))
def test_global_time_never_mixes_the_periods(times, cases):
    sequences = [list(range(len(t))) for t in times]
    histories = timed(sequences, times)
    flat = [moment for t in times for moment in t]
    enough = any(t < 8 for t in flat) and any(8 <= t < 15 for t in flat) and any(t >= 15 for t in flat)
    periods = [range(8, 15), range(15, 100)]
    expected = []
    for period in periods:
        found = []
        for user, t in enumerate(times):
            inside = [n for n, moment in enumerate(t) if moment in period]
            chosen = {"all": inside, "last": inside[-1:], "first": inside[:1]}[cases]
            found += [(str(user), list(range(n)), n) for n in chosen if n > 0]
        expected.append(found)
    if not enough or not all(expected):
        with pytest.raises(DataError):
            global_time(histories, validation_from=8, test_from=15, cases=cases)
        return
    split = global_time(histories, validation_from=8, test_from=15, cases=cases)
    assert split.train.timestamps.max() < 8
    assert len(split.train.items) == sum(t < 8 for t in flat)
    assert (split.train.lengths > 0).all()
    for part, rows in zip((split.validation, split.test), expected, strict=True):
        got = zip(part.histories.user_ids, plain(part.histories), part.targets.tolist(), strict=True)
        assert list(got) == rows


def test_global_time_moments():
    day = 86_400
    histories = timed([[1, 2, 3, 4]], [[0, 40 * 365 * day, 40 * 365 * day + 1, 50 * 365 * day]])
    split = global_time(histories, validation_from="2005-01-01", test_from="2015-06-01T00:00:00Z")
    assert plain(split.train) == [[1]]
    assert plain(split.test.histories) == [[1, 2, 3]]
    shares = global_time(histories, validation_from=0.5, test_from=0.75)
    assert plain(shares.train) == [[1, 2]]
    assert shares.validation.targets.tolist() == [3]


def test_global_time_refusals():
    ordered = Histories.from_lists([[1, 2, 3]])
    with pytest.raises(DataError, match="needs real timestamps"):
        global_time(ordered, validation_from=1, test_from=2)
    histories = timed([[1, 2, 3]], [[1, 2, 3]])
    with pytest.raises(DataError, match="validation_from before test_from"):
        global_time(histories, validation_from=3, test_from=3)
    with pytest.raises(DataError, match="test part has no interactions"):
        global_time(histories, validation_from=2, test_from=9)
    with pytest.raises(ConfigError, match="last, first or all"):
        global_time(histories, validation_from=2, test_from=3, cases="some")


def test_make_split_by_name():
    histories = timed([[1, 2, 3, 4]], [[1, 2, 3, 4]])
    assert make_split(histories, "leave-one-out", min_length=4).test.targets.tolist() == [4]
    assert make_split(histories, "global-time", validation_from=3, test_from=4).test.targets.tolist() == [4]
    with pytest.raises(ConfigError, match="Did you mean 'leave-one-out'"):
        make_split(histories, "leave_one_out")
    with pytest.raises(ConfigError, match="Did you mean 'min_length'"):
        make_split(histories, "leave-one-out", min_lenght=4)
    with pytest.raises(ConfigError, match="needs test_from"):
        make_split(histories, "global-time", validation_from=3)


def test_evaluation_set_select():
    split = leave_one_out(Histories.from_lists([[1, 2, 3], [4, 5, 6]]))
    assert len(split.test) == 2
    chosen = split.test.select(np.array([1]))
    assert plain(chosen.histories) == [[4, 5]]
    assert chosen.targets.tolist() == [6]


ROWS = [("u", "a", 1), ("u", "b", 2), ("u", "c", 3), ("u", "c", 4), ("v", "c", 1), ("v", "a", 5)]
PARTS = ["train", "train", "validation", "test", "train", "test"]


def frame(rows):
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def test_custom_split_by_column_and_by_three_tables():
    whole = frame(ROWS).with_columns(pl.Series("part", PARTS))
    splits = [
        custom_split(Interactions.from_frame(whole, part_column="part"), ["a", "b", "c"]),
        custom_split(
            [Interactions.from_frame(whole.filter(part=p).drop("part")) for p in ("train", "validation", "test")],
            ["a", "b", "c"],
        ),
    ]
    for split in splits:
        assert plain(split.train) == [[0, 1], [2]]
        assert plain(split.validation.histories) == [[0, 1]]
        assert split.validation.targets.tolist() == [2]
        assert plain(split.test.histories) == [[0, 1, 2], [2]]
        assert split.test.targets.tolist() == [2, 0]
        assert split.name == "custom"


def test_three_tables_without_times_follow_each_other():
    tables = [Interactions.from_frame(frame([row]).drop("timestamp")) for row in ROWS[:3]]
    split = custom_split(tables, ["a", "b", "c"])
    assert plain(split.train) == [[0]]
    assert plain(split.test.histories) == [[0, 1]]


def test_custom_split_refusals():
    with pytest.raises(DataError, match="part of each row is not known"):
        custom_split(Interactions.from_frame(frame(ROWS)), ["a", "b", "c"])
    with pytest.raises(DataError, match="2 tables for a split"):
        custom_split([Interactions.from_frame(frame(ROWS))] * 2, ["a", "b", "c"])


@pytest.mark.parametrize("moment", [None, [], True, float("nan"), float("inf"), {}])
def test_what_is_no_moment_is_refused(moment):
    histories = Histories(np.array(["u"], dtype=object), np.array([0, 3]), np.zeros(3, np.int32), np.arange(3))
    with pytest.raises(ConfigError, match="is no moment"):
        make_split(histories, "global-time", validation_from=moment, test_from=2)
    with pytest.raises(ConfigError, match="min_length"):
        make_split(histories, "leave-one-out", min_length=moment if moment is not True else "3")


def test_without_interactions_there_is_nothing_to_cut():
    empty = Histories(np.zeros(0, dtype=object), np.array([0]), np.zeros(0, np.int32), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no interactions"):
        make_split(empty, "global-time", validation_from=0.5, test_from=0.8)
