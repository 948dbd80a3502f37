import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data import Histories
from genrec.errors import DataError

lists = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=6)


def plain(histories):
    return [history.tolist() for history in histories]


@settings(deadline=None, derandomize=True)
@given(lists, st.integers(0, 7))
def test_cuts_agree_with_slices(sequences, n):
    histories = Histories.from_lists(sequences)
    assert plain(histories) == sequences
    assert plain(histories.last(n)) == [s[len(s) - min(n, len(s)) :] for s in sequences]
    assert plain(histories.without_last(n)) == [s[: max(len(s) - n, 0)] for s in sequences]
    assert histories.lengths.tolist() == [len(s) for s in sequences]


@settings(deadline=None, derandomize=True)
@given(lists, st.data())
def test_select_and_take(sequences, data):
    histories = Histories.from_lists(sequences)
    if sequences:
        users = data.draw(st.lists(st.integers(0, len(sequences) - 1)))
        chosen = histories.select(np.array(users, dtype=np.int64))
        assert plain(chosen) == [sequences[user] for user in users]
        assert chosen.user_ids.tolist() == [str(user) for user in users]
    assert plain(histories.take(histories.items > 4)) == [[item for item in s if item > 4] for s in sequences]
    mask = histories.lengths > 2
    assert plain(histories.select(mask)) == [s for s in sequences if len(s) > 2]


@settings(deadline=None, derandomize=True)
@given(lists, st.none() | st.integers(0, 5))
def test_padded(sequences, length):
    matrix = Histories.from_lists(sequences).padded(length)
    width = max(map(len, sequences), default=0) if length is None else length
    assert matrix.shape == (len(sequences), width)
    for row, sequence in zip(matrix.tolist(), sequences, strict=True):
        newest = sequence[len(sequence) - min(width, len(sequence)) :]
        assert row == newest + [-1] * (width - len(newest))


def test_times_follow_their_items():
    histories = Histories(np.array(["u", "v"], dtype=object), np.array([0, 2, 3]), np.array([4, 5, 6], np.int32))
    timed = Histories(histories.user_ids, histories.offsets, histories.items, np.array([10, 20, 30]))
    assert timed.last(1).timestamps.tolist() == [20, 30]
    assert timed.select(np.array([1, 0])).timestamps.tolist() == [30, 10, 20]
    assert timed.take(np.array([False, True, True])).timestamps.tolist() == [20, 30]
    assert histories.last(1).timestamps is None


def test_pieces_of_chosen_users():
    histories = Histories.from_lists([[1, 2, 3], [4, 5]], ["u", "v"])
    pieces = histories.cut(np.array([3, 0]), np.array([4, 2]), np.array([1, 0]))
    assert plain(pieces) == [[4], [1, 2]]
    assert pieces.user_ids.tolist() == ["v", "u"]


def test_wrong_number_of_user_ids_is_refused():
    with pytest.raises(DataError, match="2 histories but 1 user id"):
        Histories.from_lists([[1], [2]], ["u"])
