import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.errors import ConfigError, DataError
from genrec.evaluation.slices import (
    by_case_column,
    by_history_length,
    by_item_column,
    by_novelty,
    by_popularity,
    by_user_column,
    popularity_classes,
)


def cases(histories, targets):
    return EvaluationSet(Histories.from_lists(histories), np.array(targets, dtype=np.int32))


@given(st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=5), st.integers(0, 5)), min_size=1, max_size=8))
def test_repeat_targets_are_those_in_the_history(rows):
    masks = by_novelty(cases([history for history, _ in rows], [target for _, target in rows]))
    assert masks["repeat"].tolist() == [target in history for history, target in rows]
    assert (masks["novel"] == ~masks["repeat"]).all()


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
