import numpy as np
import pytest

from genrec.baselines import BASELINES, Popularity, RepeatLast, TransitionCounts, fit_baselines
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, Split, leave_one_out
from genrec.errors import ConfigError, DataError, ModelError

N_ITEMS = 30
IDS = [f"i{n}" for n in range(N_ITEMS)]


def random_histories(seed=0, users=80, longest=12):
    """Users who mostly walk to the next item, so that transitions mean something."""
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(users):
        steps = rng.choice([1, 2, 7], size=rng.integers(3, longest), p=[0.6, 0.3, 0.1])
        sequences.append(((rng.integers(N_ITEMS) + np.cumsum(steps)) % N_ITEMS).tolist())
    return Histories.from_lists(sequences)


@pytest.fixture(scope="module")
def split():
    return leave_one_out(random_histories())


@pytest.fixture(scope="module")
def fitted(split):
    return {baseline.name: baseline for baseline in fit_baselines(split, IDS)}


def transition_scores(train, history, window, last):
    """The definition, written as loops."""
    count = np.zeros((N_ITEMS, N_ITEMS))
    for sequence in train:
        for i in range(len(sequence)):
            for j in range(i + 1, min(len(sequence), i + window + 1)):
                count[sequence[i], sequence[j]] += 1 / (j - i)
    scores = np.zeros(N_ITEMS)
    for r, item in enumerate(history[::-1][:last]):
        if count[item].sum():
            scores += count[item] / np.sqrt(count[item].sum()) / (r + 1)
    return scores


@pytest.mark.parametrize(("window", "last"), [(1, 1), (3, 2), (10, 10), (100, 3)])
def test_transition_counts_follow_their_definition(split, window, last):
    baseline = TransitionCounts(window, last).fit(split.train, IDS)
    scores = baseline.score(split.test.histories).toarray()
    expected = [transition_scores(split.train, history, window, last) for history in split.test.histories]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    lists = baseline.recommend(split.test.histories, 5)
    for user, history in enumerate(split.test.histories):
        usable = [item for item in range(N_ITEMS) if item not in history]
        best = sorted(usable, key=lambda item: (-scores[user, item], -baseline.popularity[item], item))
        assert lists.items[user].tolist() == best[:5]


def test_choose_takes_the_best_validation_ndcg(split):
    chosen = TransitionCounts.choose(split, IDS, (1, 3))
    assert set(chosen.choices) == {(1, 1), (1, 3), (3, 1), (3, 3)}
    values = {}
    for window, last in chosen.choices:
        lists = TransitionCounts(window, last).fit(split.train, IDS).recommend(split.validation.histories, 10)
        ranks = lists.ranks_of(split.validation.targets)
        values[window, last] = np.mean([1 / np.log2(rank + 1) if rank else 0.0 for rank in ranks])
    assert values == pytest.approx(chosen.choices)
    assert values[chosen.window, chosen.last] == max(values.values())


@pytest.mark.parametrize("settings", [{"window": 0}, {"last": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError, match="at least 1"):
        TransitionCounts(**settings)


def test_an_empty_grid_is_refused(split):
    with pytest.raises(ConfigError, match="grid"):
        TransitionCounts.choose(split, IDS, ())


def test_popularity_counts_training_interactions():
    train = Histories.from_lists([[2, 1], [2, 3], [3]])
    lists = Popularity().fit(train, IDS[:5]).recommend([["i3"], []], 5)
    assert lists.item_ids == [["i2", "i1", "i0", "i4"], ["i2", "i3", "i1", "i0", "i4"]]
    assert lists.scores[1].tolist() == [2.0, 2.0, 1.0, 0.0, 0.0]


def test_repeat_last_is_the_history_newest_first():
    repeat = RepeatLast().fit(Histories.from_lists([[0]]), IDS)
    lists = repeat.recommend([["i1", "i2", "i1", "i3"], [], ["i5"]], 2, exclude_seen=False)
    assert lists.item_ids == [["i3", "i1"], [], ["i5"]]


def test_repeat_last_has_nothing_when_seen_items_are_excluded(split):
    repeat = RepeatLast().fit(split.train, IDS)
    assert not any(repeat.recommend(split.test.histories, 3).item_ids)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_a_recommendation_is_always_a_real_item_once(fitted, split, name, exclude_seen):
    histories = split.test.histories
    allow = IDS[::2]
    lists = fitted[name].recommend(histories, 20, exclude_seen=exclude_seen, allow=allow, deny=["i4"])
    for user, got in enumerate(lists.item_ids):
        assert len(set(got)) == len(got)
        assert set(got) <= set(allow) - {"i4"}
        if exclude_seen:
            assert not set(got) & {IDS[item] for item in histories[user]}
    assert (lists.scores[:, 1:] <= lists.scores[:, :-1]).all()


@pytest.mark.parametrize("name", BASELINES)
def test_fewer_come_back_when_fewer_are_allowed(fitted, split, name):
    lists = fitted[name].recommend(split.test.histories, 10, exclude_seen=False, allow=["i1", "i2"])
    assert max(map(len, lists.item_ids)) <= 2
    assert (lists.items[:, 2:] == -1).all()


@pytest.mark.parametrize("name", BASELINES)
def test_a_result_does_not_depend_on_the_other_users(fitted, split, name, monkeypatch):
    histories = split.test.histories
    together = fitted[name].recommend(histories, 10, exclude_seen=False)
    for user in (0, 17, len(histories) - 1):
        alone = fitted[name].recommend(histories.select(np.array([user])), 10, exclude_seen=False)
        np.testing.assert_array_equal(alone.items[0], together.items[user])
        np.testing.assert_array_equal(alone.scores[0], together.scores[user])
    monkeypatch.setattr("genrec.baselines.base._CHUNK_USERS", 7)
    chunked = fitted[name].recommend(histories, 10, exclude_seen=False)
    np.testing.assert_array_equal(chunked.items, together.items)


def test_nothing_held_out_reaches_a_baseline(split, fitted):
    """Other test targets change nothing; other validation targets change at most what is chosen on them."""
    rng = np.random.default_rng(1)
    other = EvaluationSet(split.test.histories, rng.integers(0, N_ITEMS, len(split.test.targets)).astype(np.int32))
    again = fit_baselines(Split(split.train, split.validation, other, split.name), IDS)
    for baseline in again:
        first = fitted[baseline.name].recommend(split.test.histories, 10, exclude_seen=False)
        second = baseline.recommend(split.test.histories, 10, exclude_seen=False)
        np.testing.assert_array_equal(first.items, second.items)
        np.testing.assert_array_equal(baseline.popularity, np.bincount(split.train.items, minlength=N_ITEMS))


def test_unknown_names_suggest_the_nearest(split):
    with pytest.raises(ConfigError, match="transition-counts"):
        fit_baselines(split, IDS, ["transitions-counts"])


def test_a_baseline_that_is_not_fitted_says_so():
    with pytest.raises(ModelError, match="not fitted"):
        Popularity().recommend([["i1"]], 1)


def test_training_outside_the_catalogue_is_refused():
    with pytest.raises(DataError, match="outside the catalogue"):
        Popularity().fit(Histories.from_lists([[5]]), IDS[:5])
    with pytest.raises(DataError, match="empty"):
        Popularity().fit(Histories.from_lists([[]]), [])


def test_fitting_again_forgets_the_first_catalogue():
    baseline = Popularity().fit(Histories.from_lists([[0]]), ["a", "b"])
    assert baseline.recommend([["a"]], 1).item_ids == [["b"]]
    baseline.fit(Histories.from_lists([[1]]), ["b", "a", "c"])
    assert baseline.recommend([["b"]], 1).item_ids == [["a"]]


def test_histories_outside_the_catalogue_are_refused(fitted):
    with pytest.raises(DataError, match="outside the catalogue"):
        fitted["popularity"].recommend(Histories.from_lists([[N_ITEMS]]), 1)


def test_items_without_training_still_get_ranked_by_popularity():
    train = Histories.from_lists([[0, 1], [1, 2], [1]])
    lists = TransitionCounts().fit(train, IDS[:6]).recommend([["i5"]], 3)
    assert lists.item_ids == [["i1", "i0", "i2"]]
    assert lists.scores[0].tolist() == [0.0, 0.0, 0.0]
