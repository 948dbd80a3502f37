"""Words and counts together: the sum, its choice on validation, and the same from a folder."""

from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp

from genrec.baselines import FitInputs, TransitionCounts, WordNeighbours, WordsAndCounts, load_baseline
from genrec.baselines.tuning import choose
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.generative.learned_prior import LearnedPrior

RNG = np.random.default_rng(0)
N_ITEMS = 30
IDS = [str(number) for number in range(N_ITEMS)]
PAIRS = sp.csr_array((np.ones(N_ITEMS), (np.arange(N_ITEMS), np.arange(N_ITEMS) // 2)))  # 0 and 1 share a word
TRAIN = Histories.from_lists([RNG.integers(0, N_ITEMS, 6).tolist() for _ in range(60)])
HISTORIES = Histories.from_lists([[3, 9], [], [4, 4, 11]])


def test_it_is_the_weighted_sum_of_both():
    words = FitInputs(words=PAIRS)
    both = WordsAndCounts(counts=0.4, backward=0.3, shrinkage=7.0, last=2).fit(TRAIN, IDS, words)
    cosines = WordNeighbours().fit(TRAIN, IDS, words).score(HISTORIES)
    counts = TransitionCounts(10, 2, 0.3, 7.0).fit(TRAIN, IDS)
    expected = cosines + 0.4 * LearnedPrior(counts).scores(HISTORIES, N_ITEMS).toarray()
    np.testing.assert_allclose(both.score(HISTORIES), expected, rtol=1e-5)


def test_a_saved_one_scores_the_same(tmp_path):
    both = WordsAndCounts(shrinkage=5.0).fit(TRAIN, IDS, FitInputs(words=PAIRS))
    both.save_pretrained(tmp_path / "both")
    again = load_baseline(tmp_path / "both")
    assert again.settings == both.settings
    np.testing.assert_array_equal(again.score(HISTORIES), both.score(HISTORIES))


def test_its_weight_is_chosen_on_validation_with_counts_of_before():
    last = RNG.integers(0, N_ITEMS, 40)
    follow = Histories.from_lists([[item, (item + 2) % N_ITEMS, (item + 5) % N_ITEMS] for item in last])

    def chosen(targets):
        cases = EvaluationSet(Histories.from_lists([[item] for item in last]), targets.astype(np.int32))
        split = SimpleNamespace(train=follow, validation=cases)
        return choose(WordsAndCounts, split, IDS, [{"counts": 0.05}, {"counts": 2.0}], FitInputs(words=PAIRS))

    by_counts, by_words = chosen((last + 2) % N_ITEMS), chosen(last ^ 1)
    assert (by_counts.settings.counts, by_words.settings.counts) == (2.0, 0.05)
    assert len(by_counts.choices) == 2
    known = by_counts.score(Histories.from_lists([[int(last[0])]]))[0]
    assert known[(last[0] + 5) % N_ITEMS] > 0  # the newest items are counted in the end
