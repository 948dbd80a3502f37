"""Word neighbours against scores worked out by hand."""

import numpy as np
import pytest
import scipy.sparse as sp

from genrec.baselines import FitInputs, WordNeighbours
from genrec.data.histories import Histories
from genrec.errors import DataError

WORDS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 0.0]])
IDS = list("abcd")


def fitted(**settings):
    return WordNeighbours(**settings).fit(Histories.from_lists([[0]]), IDS, FitInputs(words=sp.csr_array(WORDS)))


def test_newer_items_weigh_more():
    weights = np.exp([-1.4, -0.7, 0.0])
    expected = WORDS @ (weights / weights.sum() @ WORDS[[0, 0, 1]])
    found = fitted(decay=0.7).score(Histories.from_lists([[0, 0, 1], []]))
    np.testing.assert_allclose(found, [expected, np.zeros(4)], atol=1e-6)


def test_only_the_last_items_are_read():
    np.testing.assert_allclose(fitted(last=1).score(Histories.from_lists([[0, 1]])), [[0, 1, 0.8, 0]], atol=1e-6)


def test_a_user_does_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    words = sp.csr_array(sp.random(200, 90, 0.1, rng=rng))
    baseline = WordNeighbours().fit(Histories.from_lists([[0]]), [str(n) for n in range(200)], FitInputs(words=words))
    histories = Histories.from_lists([rng.integers(0, 200, n).tolist() for n in (1, 5, 30)])
    together = baseline.score(histories)
    for user in range(3):
        assert np.array_equal(baseline.score(histories.select(np.array([user])))[0], together[user])


def test_missing_words_are_refused():
    with pytest.raises(DataError, match="needs the words of 4 items"):
        WordNeighbours().fit(Histories.from_lists([[0]]), IDS)
    with pytest.raises(DataError, match="needs the words of 4 items"):
        WordNeighbours().fit(Histories.from_lists([[0]]), IDS, FitInputs(words=sp.csr_array(WORDS[1:])))
