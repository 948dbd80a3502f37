import numpy as np
import pytest

from genrec.errors import DataError
from genrec.recommender import Recommendations


def lists(items):
    items = np.array(items, dtype=np.int32)
    scores = np.where(items >= 0, -np.arange(items.shape[1], dtype=np.float32), -np.inf)
    return Recommendations(items, scores.astype(np.float32), np.array(list("abcdef"), dtype=object))


def test_ranks_of_counts_from_one_and_takes_the_first_occurrence():
    got = lists([[3, 1, 2], [4, 5, -1], [2, 2, 2], [-1, -1, -1]]).ranks_of(np.array([2, 0, 2, -1]))
    assert got.tolist() == [3, 0, 1, 0]
    assert got.dtype == np.int32


def test_ranks_of_needs_one_target_a_list():
    with pytest.raises(DataError, match="targets of shape"):
        lists([[1]]).ranks_of(np.array([1, 2]))


def test_item_ids_and_frame_have_no_fillers():
    result = lists([[3, 1], [4, -1]])
    assert result.item_ids == [["d", "b"], ["e"]]
    frame = result.to_frame(["u", "v"])
    assert frame["user_id"].to_list() == ["u", "u", "v"]
    assert frame["rank"].to_list() == [1, 2, 1]
