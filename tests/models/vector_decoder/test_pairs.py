"""Vectors of what is bought together, also without a user's own history."""

import numpy as np

from genrec.data.histories import Histories
from genrec.models.vector_decoder.pairs import cross_fitted, folds_of, pair_vectors


def test_items_bought_together_are_near():
    train = Histories.from_lists([[0, 1, 2], [2, 1, 0], [3, 4, 5], [5, 3, 4]])
    vectors = pair_vectors(train, 7, 2, 3)
    assert vectors.shape == (7, 2)
    near = vectors @ vectors.T
    assert near[0, 1] > 0.9 > 0.1 > abs(near[0, 3])
    assert not vectors[6].any()


def test_nothing_in_common_gives_zeros():
    assert not pair_vectors(Histories.from_lists([[0], []]), 3, 2, 5).any()


def test_a_fold_does_not_know_its_own_users():
    train = Histories.from_lists([[0, 1, 2], [3, 4, 5], [3, 4, 5], [3, 4, 5]])
    fold = np.array([0, 1, 1, 1])
    without_first, without_others = cross_fitted(train, fold, 6, 2, 3)
    assert not without_first[:3].any()
    assert without_first[3:].any()
    assert without_others[:3].any()
    assert not without_others[3:].any()


def test_folds_are_as_equal_as_can_be_and_follow_the_seed():
    fold = folds_of(10, 4, seed=1)
    assert sorted(np.bincount(fold).tolist()) == [2, 2, 3, 3]
    assert (fold == folds_of(10, 4, seed=1)).all()
    assert (fold != folds_of(10, 4, seed=2)).any()
