"""What words that an item shares with a history say: against a dense computation."""

import numpy as np
import pytest
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.encoders.word_matches import WordMatches


def dense(vectors, histories, decay, last):
    scores = np.zeros((len(histories), len(vectors)))
    for user, history in enumerate(histories):
        recent = list(history)[::-1][:last]
        weights = np.exp(-decay * np.arange(len(recent)))
        for weight, item in zip(weights, recent, strict=True):
            scores[user] += weight / weights.sum() * (vectors @ vectors[item])
    return scores


@pytest.mark.parametrize(("users", "items", "words"), [(3, 5, 7), (70, 130, 40), (64, 64, 1), (1, 1, 3), (0, 9, 4)])
def test_scores_are_cosines_of_decayed_histories(users, items, words):
    rng = np.random.default_rng(users)
    vectors = rng.random((items, words)) * (rng.random((items, words)) < 0.3)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    histories = Histories.from_lists([rng.integers(0, items, rng.integers(0, 6)).tolist() for _ in range(users)])
    found = WordMatches(sp.csr_array(vectors), decay=0.7, last=4).scores(histories)
    assert found.dtype == np.float32
    assert found.shape == (users, items)
    np.testing.assert_allclose(found, dense(vectors, histories, 0.7, 4), atol=1e-6)
    together = WordMatches(sp.csr_array(vectors.astype(np.float32)), last=None).scores(histories)
    alone = [
        WordMatches(sp.csr_array(vectors), last=None).scores(histories.select(np.array([u]))) for u in range(users)
    ]
    np.testing.assert_array_equal(together, np.concatenate([together[:0], *alone]))


def test_items_without_words_and_catalogues_without_any():
    histories = Histories.from_lists([[0, 1], []])
    vectors = sp.csr_array(np.array([[1.0, 0.0], [0.0, 0.0], [0.6, 0.8]]))
    found = WordMatches(vectors, decay=0.0).scores(histories)
    np.testing.assert_allclose(found, [[0.5, 0, 0.3], [0, 0, 0]], atol=1e-6)
    assert (WordMatches(sp.csr_array((3, 0))).scores(histories) == 0).all()
