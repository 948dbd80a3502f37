"""What counts add, for all settings and weights at once; what other catalogues know about it."""

import numpy as np
import pytest

from genrec.baselines.transitions import TransitionCounts
from genrec.data.histories import Histories
from genrec.decoding.options import PriorSettings
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.prior_experience import PSEUDO_CASES, WEIGHTS, PriorExperience, Trial
from genrec.generative.recommender import GenerativeRecommender
from genrec.metrics import ndcg_at
from genrec.training.prior import ENOUGH, fit_prior
from genrec.training.prior_experience import gain_experience, pooled, transitions_per_item
from genrec.training.prior_grid import as_of_before, candidates, fitted, ndcg_with_priors
from genrec.training.validation import validation_sample

SETTINGS = ({"window": 1, "last": 1}, {"window": 3, "last": 3})


def experience(*trials, settings=SETTINGS, weights=(0.0, 1.0, 4.0)):
    made = [
        Trial(catalogue="other", share=0.1, transitions=transitions, cases=100, ndcg=ndcg)
        for transitions, ndcg in trials
    ]
    return PriorExperience(name="transition-counts", settings=settings, weights=weights, trials=tuple(made))


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_grid_measures_what_the_exact_ranking_recommends(copy, split, exclude_seen):
    counts = [TransitionCounts(**one).fit(split.train, copy.item_ids) for one in SETTINGS]
    weights = (0.0, 0.1, 0.7, 5.0)
    measured = ndcg_with_priors(
        copy, split.validation, [LearnedPrior(one) for one in counts], k=5, exclude_seen=exclude_seen, weights=weights
    )
    for row, one in enumerate(counts):
        copy.prior = LearnedPrior(one)
        for column, weight in enumerate(weights):
            asked = PriorSettings(settings=one.settings.model_dump(), weight=weight)
            found = copy.recommend(
                split.validation.histories, 5, exclude_seen=exclude_seen, options={"exact": True, "prior": asked}
            )
            expected = ndcg_at(found.ranks_of(split.validation.targets), 5).mean()
            assert measured[row, column] == pytest.approx(expected, abs=1e-9)
    assert len(np.unique(measured)) > 1


def test_targets_that_tie_get_the_rank_of_a_random_order(copy, split):
    cases = split.validation.select(np.arange(4))

    class Constant:
        item_ids = copy.item_ids

        def score_items(self, histories):
            return np.zeros((len(histories), len(self.item_ids)), dtype=np.float32)

    nothing = LearnedPrior(TransitionCounts(window=1, last=1).fit(Histories.from_lists([[0]]), copy.item_ids))
    n = len(copy.item_ids)
    [[found]] = ndcg_with_priors(Constant(), cases, [nothing], k=n, exclude_seen=False, weights=(1.0,))
    assert found == pytest.approx(1 / np.log2(2 + (n - 1) / 2))


def test_no_cases_give_zeros(copy, split):
    nobody = split.validation.select(np.arange(0))
    counts = LearnedPrior(TransitionCounts().fit(split.train, copy.item_ids))
    assert (ndcg_with_priors(copy, nobody, [counts], k=5) == np.zeros((1, len(WEIGHTS)))).all()


def test_fitted_shares_counts_and_knows_no_other_settings(split, copy):
    grid = candidates("transition-counts", split.train, {"window": 3})
    assert {one["window"] for one in grid} == {3}
    assert len(grid) == 4
    assert len(candidates("transition-counts", split.train, grid[0])) == 1  # none twice
    grid = [{"window": 3, "last": last} for last in (1, 3, 10)]
    made = list(fitted("transition-counts", grid, split.train, copy.item_ids))
    assert made[0]._weights is made[2]._weights
    assert [one.last for one in made] == [1, 3, 10]
    with pytest.raises(ConfigError, match="windw"):
        list(fitted("transition-counts", [{"windw": 3}], split.train, copy.item_ids))


def test_as_of_before_leaves_out_the_newest_item_of_everybody():
    before = as_of_before(Histories.from_lists([[4, 5, 6], [], [7], [8, 9]]))
    assert [list(one) for one in before] == [[4, 5], [], [], [8]]
    assert len(as_of_before(Histories.from_lists([]))) == 0


def test_near_trials_count_most_and_trials_without_a_hit_not_at_all():
    poor, rich = ((0.1, 0.08, 0.04), (0.1, 0.09, 0.05)), ((0.1, 0.2, 0.3), (0.1, 0.15, 0.2))
    dead = ((0.0, 0.9, 0.9), (0.0, 0.9, 0.9))
    known = experience((0.001, poor), (1000.0, rich), (1.0, dead))
    np.testing.assert_allclose(known.gain(1e-9)[0], [0, -0.2, -0.6], atol=0.2)
    np.testing.assert_allclose(known.gain(1e9)[0], [0, 1, 2], atol=0.2)
    middle = known.gain(1.0)
    np.testing.assert_allclose(middle[0], np.sqrt([1, 1.6, 1.2]) - 1, atol=1e-6)
    assert (experience((1.0, dead)).gain(1.0) == 0).all()
    assert experience().gain(1.0).shape == (2, 3)


def test_few_cases_follow_the_trials_and_many_the_own_measurement():
    known = experience((1.0, ((0.1, 0.12, 0.05), (0.1, 0.11, 0.05))))
    own = np.array([[0.2, 0.1, 0.3], [0.2, 0.1, 0.25]])
    few = known.judge(own, 5, 1.0, SETTINGS)
    many = known.judge(own, 100 * PSEUDO_CASES, 1.0, SETTINGS)
    assert np.unravel_index(few.argmax(), few.shape) == (0, 1)
    assert np.unravel_index(many.argmax(), many.shape) == (0, 2)
    np.testing.assert_allclose(known.judge(own, 0, 1.0, SETTINGS), known.gain(1.0), atol=1e-6)
    unknown = known.judge(own, 0, 1.0, [{"window": 9, "last": 9}, SETTINGS[1]])
    assert (unknown[0] == 0).all()
    assert unknown[1, 1] == pytest.approx(0.1)
    empty = experience().judge(own, 5, 1.0, SETTINGS)
    assert np.unravel_index(empty.argmax(), empty.shape) == (0, 2)


def test_experience_is_gained_saved_and_pooled(copy, split, tmp_path):
    ticks = []
    one = gain_experience(
        copy, "shop", split.train, split.validation, (0.1, 1.0), progress=lambda *now: ticks.append(now)
    )
    assert ticks == [("counts of transitions in shop", done, 2) for done in (1, 2)]
    assert [trial.share for trial in one.trials] == [0.1, 1.0]
    assert one.trials[1].transitions == pytest.approx(transitions_per_item(split.train, len(copy.item_ids)))
    assert np.asarray(one.trials[0].ndcg).shape == (4, len(WEIGHTS))
    counts = [LearnedPrior(each) for each in fitted(one.name, one.settings, as_of_before(split.train), copy.item_ids)]
    np.testing.assert_allclose(one.trials[1].ndcg, ndcg_with_priors(copy, split.validation, counts, k=10), atol=1e-6)
    one.save(tmp_path / "prior.json")
    assert PriorExperience.load(tmp_path / "prior.json") == one
    assert PriorExperience.load(tmp_path / "nothing.json") is None
    (tmp_path / "bad.json").write_text('{"name": 3}')
    with pytest.raises(ConfigError, match=r"bad\.json"):
        PriorExperience.load(tmp_path / "bad.json")
    (tmp_path / "torn.json").write_text('{"name": ')
    with pytest.raises(ArtifactError, match="cannot be read"):
        PriorExperience.load(tmp_path / "torn.json")
    both = pooled([one, one, one.model_copy(update={"weights": (0.0,)})])
    assert both.trials == one.trials * 2
    assert pooled([]) is None


def test_an_exact_recommender_chooses_settings_and_weight_together(copy, split):
    copy.options = copy.options.model_copy(update={"exact": True})
    assert not copy.scores_all  # scores every item, but through the trie
    copy.__class__ = type("AllAtOnce", (GenerativeRecommender,), {"scores_all": True})
    tried = fit_prior(copy, split, PriorSettings())
    assert [one["weight"] for one in tried] == list(WEIGHTS)
    grid = candidates("transition-counts", split.train)
    counts = [LearnedPrior(one) for one in fitted("transition-counts", grid, as_of_before(split.train), copy.item_ids)]
    config = copy.config  # judged on the cases that were chosen on, so that nothing hangs on a case more or less
    shown = validation_sample(config.validation.users, len(split.validation), config.seed)
    cases = split.validation.select(shown)
    assert 0 < len(cases) < len(split.validation)
    values = ndcg_with_priors(copy, cases, counts, k=10)
    row, column = grid.index(copy.options.prior.settings), WEIGHTS.index(copy.options.prior.weight)
    gain = values - values[0, 0]
    assert gain[row, column] >= ENOUGH * gain.max()
    assert not (gain[:, :column] >= ENOUGH * gain.max()).any()  # no smaller weight does
    assert copy.prior.baseline.settings.model_dump() == grid[row]
    [whole] = fitted(
        "transition-counts", [grid[row]], split.train, copy.item_ids
    )  # what is kept has counted everything
    assert (copy.prior.baseline._weights != whole._weights).nnz == 0
    assert (copy.prior.baseline._weights != counts[row].baseline._weights).nnz > 0

    nothing_helps = np.full((len(grid), len(WEIGHTS)), 0.01)
    nothing_helps[2, 3] = 0.9
    trial = Trial(
        catalogue="other", share=1.0, transitions=1.0, cases=9, ndcg=tuple(map(tuple, nothing_helps.tolist()))
    )
    sure = PriorExperience(name="transition-counts", settings=tuple(grid), weights=WEIGHTS, trials=(trial,))
    fit_prior(copy, split, PriorSettings(), experience=sure)
    assert copy.options.prior.settings == grid[2]
    assert copy.options.prior.weight == WEIGHTS[3]
    fit_prior(copy, split, PriorSettings(), experience=sure.model_copy(update={"words": 5.0}))
    assert copy.options.prior.settings == grid[row]  # measured beside words that do not count here
    fit_prior(copy, split, PriorSettings(name="item-knn"), experience=sure)  # knows nothing about it
    assert copy.options.prior.name == "item-knn"
