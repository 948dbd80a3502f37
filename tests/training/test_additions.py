"""Words and counts get the weights that help on validation: none where they harm, and their own without a network."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from genrec.baselines.transitions import TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.decoding.options import DecodingOptions, PriorSettings
from genrec.encoders.word_matches import WordMatches
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.without_network import without_network
from genrec.training.additions import fit_additions
from genrec.training.prior_grid import ndcg_of_sums, ndcg_with_priors
from genrec.training.prior_kernels import ranks_with_counts

N_ITEMS, N_USERS = 40, 120


class Toy:
    """Scores items at once: chance, and a bonus for the items that it is told."""

    scores_all = True

    def __init__(self, knows):
        pairs = np.repeat(np.arange(N_ITEMS // 2), 2)  # items 0 and 1 share a word, 2 and 3, and so on
        words = sp.csr_array((np.ones(N_ITEMS, np.float32), (np.arange(N_ITEMS), pairs)))
        self.index, self.item_ids = SimpleNamespace(word_vectors=words), np.arange(N_ITEMS).astype(str).astype(object)
        validation = SimpleNamespace(k=10, exclude_seen=True, users=N_USERS, beams=10)
        self.config = SimpleNamespace(validation=validation, seed=0)
        self.options, self.metrics, self.prior, self.floor = DecodingOptions(), {}, None, None
        self.knows, self.noise = knows, np.random.default_rng(0).normal(size=(N_USERS, N_ITEMS)).astype(np.float32)

    def score_items(self, histories):
        users = histories.user_ids.astype(int)
        scores = self.noise[users].copy()
        scores[np.arange(len(users)), self.knows[users]] += 2
        return scores

    def set_words(self, weight):
        self.options = self.options.model_copy(update={"words": weight})

    def set_prior(self, settings):
        self.options = self.options.model_copy(update={"prior": settings})


def toy_split(target_of):
    rng = np.random.default_rng(1)
    last = rng.integers(0, N_ITEMS, N_USERS)
    histories = Histories.from_lists([[item] for item in last])
    targets = np.array([target_of(item, rng) for item in last], dtype=np.int32)
    cases = EvaluationSet(histories, targets)
    train = Histories.from_lists([[item, (item + 2) % N_ITEMS, item] for item in last])
    return SimpleNamespace(train=train, validation=cases, test=None), targets


def test_words_that_help_get_weight_and_words_that_harm_get_none():
    open_words = DecodingOptions(words=None)
    split, targets = toy_split(lambda item, rng: item ^ 1)  # the next item shares the word
    helped = Toy(np.zeros(N_USERS, dtype=int))  # the network knows nothing of it
    fit_additions(helped, split, open_words)
    assert helped.options.words >= 4
    assert helped.metrics["floor"]["ndcg@10"] == pytest.approx(1.0)
    split, targets = toy_split(lambda item, rng: (item + 7) % N_ITEMS)  # words name another item
    harmed = Toy(targets)
    fit_additions(harmed, split, open_words)
    assert harmed.options.words == 0
    assert [one["words"] for one in harmed.metrics["words"]["tried"]] == sorted([0, 0.25, 0.5, 1, 4, 16, 64])


class Searching(Toy):
    """The same, found by a search: a weight costs one, so fewer are tried."""

    scores_all = False

    def __init__(self, knows, loud):
        super().__init__(knows)
        self.loud = loud

    def recommend(self, histories, k, *, exclude_seen, options):
        matched = WordMatches(self.index.word_vectors).scores(histories)
        scores = self.loud * self.score_items(histories) + self.options.words * matched
        scores[np.repeat(np.arange(len(histories)), histories.lengths), histories.items] = -np.inf
        return SimpleNamespace(
            ranks_of=lambda targets: 1 + (scores > scores[np.arange(len(targets)), targets][:, None]).sum(1)
        )


@pytest.mark.parametrize(("loud", "least", "most"), [(0.1, 1, 4), (30, 64, 256)])
def test_a_search_tries_larger_weights_as_long_as_they_are_better(loud, least, most):
    split, _ = toy_split(lambda item, rng: item ^ 1)
    made = Searching(np.zeros(N_USERS, dtype=int), loud)
    fit_additions(made, split, DecodingOptions(words=None))
    tried = [one["words"] for one in made.metrics["words"]["tried"]]
    assert least <= made.options.words <= most
    assert tried == sorted(tried)
    assert tried[-1] <= 256
    assert len(tried) == len(set(tried))
    split, targets = toy_split(lambda item, rng: (item + 7) % N_ITEMS)
    harmed = Searching(targets, loud)
    fit_additions(harmed, split, DecodingOptions(words=None))
    assert harmed.options.words == 0
    assert harmed.metrics["words"]["tried"][-1]["words"] == 32


def test_words_and_counts_are_chosen_together_and_harmful_counts_get_none():
    split, targets = toy_split(lambda item, rng: item ^ 1)
    toy = Toy(targets)
    fit_additions(toy, split, DecodingOptions(words=None, prior=PriorSettings(settings={"shrinkage": 3.0})))
    assert toy.options.prior.weight == 0
    assert toy.options.words > 0
    assert toy.floor.settings.prior.weight == 0
    split, targets = toy_split(lambda item, rng: (item + 2) % N_ITEMS)  # what the counts know
    toy = Toy(np.zeros(N_USERS, dtype=int))
    fit_additions(toy, split, DecodingOptions(words=None, prior=PriorSettings(settings={"shrinkage": 3.0})))
    assert toy.options.prior.weight > 0
    assert toy.options.words == 0
    assert toy.floor.settings.words == 0 or toy.floor.settings.prior.weight >= 0.4


def test_sums_of_three_are_ranked_as_a_plain_sum(copy, split):
    cases, n = split.validation, len(copy.item_ids)
    prior = LearnedPrior(TransitionCounts(window=2, last=2).fit(split.train, copy.item_ids))
    settings = {"k": 5, "weights": (0.0, 0.3)}
    found = ndcg_of_sums(copy, cases, [prior], words=(0.0, 2.0), **settings)
    for row, words in enumerate((0.0, 2.0)):
        copy.options = copy.options.model_copy(update={"words": words})
        np.testing.assert_allclose(found[row], ndcg_with_priors(copy, cases, [prior], **settings), atol=1e-9)
    assert copy.options.words == 2.0
    bare = ndcg_of_sums(copy, cases, [], words=(1.0,), k=n, weights=(0.0,), network=False)
    assert bare.shape == (1, 1, 1)
    assert bare[0, 0, 0] > 0


@pytest.mark.parametrize("exact", [True, False])
def test_a_recommender_keeps_its_own_and_the_best_without_it(copy, split, tmp_path, exact):
    wanted = copy.config.generation.model_copy(update={"words": None, "prior": PriorSettings(), "exact": exact})
    copy.config = copy.config.model_copy(update={"generation": wanted})
    copy.options = wanted.model_copy(update={"words": 0.0, "prior": None})
    fit_additions(copy, replace(split, test=split.test.select(np.arange(0))), wanted)  # the test part is not needed
    assert copy.options.words is not None
    assert copy.options.prior.weight is not None
    saved = copy.metrics["floor"]
    bare = without_network(copy)
    ndcg = bare.recommend(split.validation.histories, 10).ranks_of(split.validation.targets)
    assert saved["ndcg@10"] > 0
    assert (ndcg > 0).any()
    copy.save_pretrained(tmp_path / "model")
    again = GenerativeRecommender.from_pretrained(tmp_path / "model")
    assert again.floor.settings == copy.floor.settings
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["floor"] == saved
    lists = without_network(again).recommend(split.test.histories, 5).items
    np.testing.assert_array_equal(lists, bare.recommend(split.test.histories, 5).items)
    again.options = again.options.model_copy(update={"words": 3.0, "prior": None})  # somebody else's weights
    changed = without_network(again).score(split.test.histories)
    assert changed.max() == pytest.approx(3.0, abs=3.0)
    assert not np.allclose(changed, bare.score(split.test.histories))


@pytest.mark.parametrize("seed", range(4))
def test_ranks_with_counts_are_those_of_the_plain_sums(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 3, (30, 25)).astype(np.float32)  # many ties
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    counts = sp.random(30, 25, density=0.3, format="csr", rng=rng, dtype=np.float32)
    counts.data = np.ceil(counts.data * 3)
    targets, weights = rng.integers(0, 25, 30), np.array([0.0, 1.0, 2.5], dtype=np.float32)
    ranks = np.empty((3, 30))
    known = counts.indptr.astype(np.int64), counts.indices, counts.data
    ranks_with_counts(scores, np.sort(scores, axis=1), targets, *known, weights, ranks)
    for weight, row in zip(weights, ranks, strict=True):
        sums = scores + weight * counts.toarray()
        own = sums[np.arange(30), targets][:, None]
        better, equal = (sums > own).sum(1), (sums == own).sum(1) - 1
        expected = np.where(np.isinf(own[:, 0]), 0, 1 + better + equal / 2)
        np.testing.assert_array_equal(row, expected)
    assert (ranks == 0).any()
