import numpy as np
import pytest

from genrec.baselines import Popularity, TransitionCounts
from genrec.data.histories import Histories
from genrec.decoding.options import PriorSettings
from genrec.encoders.word_matches import WordMatches
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.without_network import without_network

HISTORIES = Histories.from_lists([[0, 6, 12], [1], []])


@pytest.fixture
def recommender(trained):
    """One with words and counts; the network is the trained one."""
    given, _ = trained
    made = GenerativeRecommender(given.model, given.index, given.config)
    made.name = "m"
    train = Histories.from_lists([[0, 6, 12, 18], [1, 7, 13], [12, 24]])
    baseline = TransitionCounts(window=2, last=3).fit(train, made.item_ids)
    made.prior = LearnedPrior(baseline)
    settings = PriorSettings(name="transition-counts", settings=baseline.settings.model_dump(), weight=1.5)
    made.options = made.options.model_copy(update={"words": 4.0, "prior": settings})
    return made


def test_scores_are_words_and_counts_with_their_weights(recommender):
    bare = without_network(recommender)
    words = 4.0 * WordMatches(recommender.index.word_vectors).scores(HISTORIES)
    counts = 1.5 * recommender.prior.scores(HISTORIES, len(recommender.item_ids)).toarray()
    np.testing.assert_allclose(bare.score(HISTORIES), words + counts, rtol=1e-5)
    assert bare.name == "m without network"


def test_lists_are_in_the_order_of_these_scores_without_seen_items(recommender):
    bare = without_network(recommender)
    found, scores = bare.recommend(HISTORIES, 10), bare.score(HISTORIES)
    for user, items in enumerate(found.items):
        allowed = np.setdiff1d(np.arange(len(bare.item_ids)), HISTORIES[user])
        best = np.sort(scores[user, allowed])[::-1][:10]
        np.testing.assert_allclose(found.scores[user], best, rtol=1e-5)
        assert not set(items.tolist()) & set(HISTORIES[user].tolist())


def test_the_network_says_nothing_in_it(recommender):
    before = without_network(recommender).recommend(HISTORIES, 10).items
    for parameter in recommender.model.parameters():
        parameter.data = parameter.data.roll(1)
    try:
        np.testing.assert_array_equal(without_network(recommender).recommend(HISTORIES, 10).items, before)
    finally:
        for parameter in recommender.model.parameters():
            parameter.data = parameter.data.roll(-1)


def test_there_is_none_where_only_the_network_decides(recommender):
    plain = recommender.options.model_copy(update={"words": 0.0, "prior": None})
    recommender.options = plain
    assert without_network(recommender) is None
    recommender.options = plain.model_copy(update={"prior": PriorSettings(name="transition-counts", weight=0.0)})
    assert without_network(recommender) is None
    assert without_network(Popularity().fit(HISTORIES, recommender.item_ids)) is None
