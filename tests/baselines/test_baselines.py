import numpy as np
import pytest
import scipy.sparse as sp
from support import assert_threads_agree

from genrec.baselines import (
    BASELINES,
    QUICK_BASELINES,
    FitInputs,
    Popularity,
    RepeatLast,
    TransitionCounts,
    load_baseline,
    product,
)
from genrec.baselines.fit import fit_baselines, train_baseline
from genrec.baselines.tuning import choose
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


VECTORS = np.random.default_rng(5).normal(size=(N_ITEMS, 8)).astype(np.float32)
WORDS = sp.csr_array(np.maximum(VECTORS, 0) / np.linalg.norm(np.maximum(VECTORS, 0), axis=1, keepdims=True))
NETWORK = {"epochs": 2, "dim": 8, "heads": 2, "layers": 1, "max_items": 6, "dropout": 0.1, "batch_size": 32}
SETTINGS = {
    "linear-probe": {"epochs": 2, "dim": 4, "negatives": 16, "last": 3, "temperature": 0.2},
    "sasrec": NETWORK,
    "bsarec": NETWORK,
    "bert4rec": {**NETWORK, "mask_share": 0.3},
}
FLOATING = ("sasrec", "bsarec", "bert4rec")


def fit_all(split):
    """All baselines, the trained ones small and with fixed settings."""
    return fit_baselines(split, IDS, BASELINES, FitInputs(vectors=VECTORS, words=WORDS), settings=SETTINGS)


@pytest.fixture(scope="module")
def fitted(split):
    return {baseline.name: baseline for baseline in fit_all(split)}


def transition_scores(train, history, window, last, backward=0.0, shrinkage=0.0):
    """The definition, written as loops."""
    count = np.zeros((N_ITEMS, N_ITEMS))
    for sequence in train:
        for i in range(len(sequence)):
            for j in range(i + 1, min(len(sequence), i + window + 1)):
                count[sequence[i], sequence[j]] += 1 / (j - i)
                count[sequence[j], sequence[i]] += backward / (j - i)
    scores = np.zeros(N_ITEMS)
    for r, item in enumerate(history[::-1][:last]):
        if count[item].sum():
            below = 1 + count[item].sum() / shrinkage if shrinkage else count[item].sum()
            scores += count[item] / np.sqrt(below) / (r + 1)
    return scores


@pytest.mark.parametrize(
    "settings", [(1, 1), (3, 2), (10, 10), (100, 3), (3, 2, 0.3), (3, 2, 0.0, 2.0), (10, 10, 1.0, 30.0)]
)
def test_transition_counts_follow_their_definition(split, settings):
    baseline = TransitionCounts(*settings).fit(split.train, IDS)
    scores = baseline.score(split.test.histories).toarray()
    expected = [transition_scores(split.train, history, *settings) for history in split.test.histories]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    lists = baseline.recommend(split.test.histories, 5)
    for user, history in enumerate(split.test.histories):
        usable = [item for item in range(N_ITEMS) if item not in history]
        best = sorted(usable, key=lambda item: (-scores[user, item], -baseline.popularity[item], item))
        assert lists.items[user].tolist() == best[:5]


def test_choose_takes_the_best_validation_ndcg(split):
    grid = product(window=(1, 3), last=(1, 3))
    chosen = choose(TransitionCounts, split, IDS, grid)
    assert [choice["settings"] for choice in chosen.choices] == grid
    values = {}
    for choice in chosen.choices:
        lists = TransitionCounts(**choice["settings"]).fit(split.train, IDS).recommend(split.validation.histories, 10)
        ranks = lists.ranks_of(split.validation.targets)
        value = np.mean([1 / np.log2(rank + 1) if rank else 0.0 for rank in ranks])
        assert choice["ndcg@10"] == pytest.approx(value)
        values[tuple(choice["settings"].values())] = value
    assert values[chosen.window, chosen.last] == max(values.values())


def test_settings_that_only_ranking_reads_need_no_other_fit(split, monkeypatch):
    fits = []
    learn = TransitionCounts._learn
    monkeypatch.setattr(
        TransitionCounts, "_learn", lambda self, *given: (fits.append(self.window), learn(self, *given))
    )
    choose(TransitionCounts, split, IDS, product(window=(1, 3), last=(1, 3, 10)))
    assert fits == [1, 3]


@pytest.mark.parametrize("settings", [{"window": 0}, {"last": 0}, {"backward": -1}, {"shrinkage": -0.1}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError, match="greater than or equal to"):
        TransitionCounts(**settings)


@pytest.mark.parametrize("name", BASELINES)
def test_unknown_settings_are_refused(split, name):
    with pytest.raises(ConfigError, match="nonsense"):
        train_baseline(name, split, IDS, FitInputs(vectors=VECTORS, words=WORDS), settings={"nonsense": 1})


def test_an_empty_grid_is_refused(split):
    with pytest.raises(ConfigError, match="grid"):
        choose(TransitionCounts, split, IDS, ())


def test_fixed_settings_are_not_searched(split):
    chosen = train_baseline("transition-counts", split, IDS, settings={"last": 2})
    plain, shrunk = product(window=(1, 3, 10)), product(window=(10,), backward=(0.0, 0.3), shrinkage=(3.0, 30.0))
    assert [choice["settings"] for choice in chosen.choices] == [{**one, "last": 2} for one in plain + shrunk]
    assert chosen.last == 2
    assert chosen.info["split"] == "leave-one-out"


def test_only_the_quick_baselines_are_fitted_unless_others_are_named(split):
    assert [baseline.name for baseline in fit_baselines(split, IDS)] == list(QUICK_BASELINES)


def test_out_of_time_takes_the_best_so_far(split):
    chosen = train_baseline("transition-counts", split, IDS, FitInputs(seconds=0.0))
    assert len(chosen.choices) == 1


@pytest.mark.parametrize("name", ["text-neighbours", "graph-heuristic", "linear-probe"])
def test_missing_and_wrong_vectors_are_refused(split, name):
    with pytest.raises(DataError, match="needs item vectors"):
        train_baseline(name, split, IDS)
    with pytest.raises(DataError, match="29 item vectors for 30 items"):
        train_baseline(name, split, IDS, FitInputs(vectors=VECTORS[1:]))
    broken = VECTORS.copy()
    broken[3, 2] = np.nan
    with pytest.raises(DataError, match="not finite"):
        train_baseline(name, split, IDS, FitInputs(vectors=broken))


@pytest.mark.parametrize("name", BASELINES)
def test_saved_and_loaded_it_recommends_the_same(fitted, split, name, tmp_path):
    fitted[name].save_pretrained(tmp_path / "saved")
    again = load_baseline(tmp_path / "saved")
    assert type(again) is type(fitted[name])
    assert again.settings == fitted[name].settings
    assert (again.choices, again.info) == (fitted[name].choices, fitted[name].info)
    for exclude_seen in (True, False):
        before, after = (
            one.recommend(split.test.histories, 7, exclude_seen=exclude_seen, deny=["i3"])
            for one in (fitted[name], again)
        )
        np.testing.assert_array_equal(before.items, after.items)
        np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("name", BASELINES)
def test_the_same_seed_gives_the_same_bytes(fitted, split, name):
    again = train_baseline(name, split, IDS, FitInputs(vectors=VECTORS, words=WORDS), settings=SETTINGS.get(name))
    before, after = fitted[name].state(), again.state()
    assert before.keys() == after.keys()
    for key in before:
        np.testing.assert_array_equal(before[key], after[key], err_msg=key)


@pytest.mark.parametrize("name", BASELINES)
def test_longer_lists_begin_with_the_shorter_ones(fitted, split, name):
    longer = fitted[name].recommend(split.test.histories, 23, exclude_seen=False)
    for k in (1, 8, 10):
        shorter = fitted[name].recommend(split.test.histories, k, exclude_seen=False)
        np.testing.assert_array_equal(shorter.items, longer.items[:, :k])


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "repeat-last"])
def test_users_without_items_get_something(fitted, name):
    lists = fitted[name].recommend([[], ["i1"]], 5)
    assert [len(row) for row in lists.item_ids] == [5, 5]


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
        np.testing.assert_allclose(alone.scores[0], together.scores[user], rtol=1e-4 if name in FLOATING else 0)
    monkeypatch.setattr("genrec.baselines.scoring._CHUNK_USERS", 7)
    chunked = fitted[name].recommend(histories, 10, exclude_seen=False)
    np.testing.assert_array_equal(chunked.items, together.items)


@pytest.mark.parametrize("name", BASELINES)
def test_many_threads_get_what_one_gets(fitted, split, name, tmp_path):
    requests = [split.test.histories.select(np.array([user])) for user in (0, 17, 40, 60)]
    fitted[name].save_pretrained(tmp_path / "saved")
    for baseline in (fitted[name], load_baseline(tmp_path / "saved")):
        assert_threads_agree(lambda one, ask=baseline: ask.recommend(one, 10), requests, rounds=2)


@pytest.mark.parametrize("name", BASELINES)
def test_users_without_a_history_and_no_users_at_all(fitted, name):
    alone = fitted[name].recommend([[]], 4)
    together = fitted[name].recommend([["i3"], [], ["i20", "i4"], []], 4)
    for user in (1, 3):
        np.testing.assert_array_equal(together.items[user], alone.items[0])
    assert len(alone.item_ids[0]) == (0 if fitted[name].repeats_only else 4)
    none = fitted[name].recommend([], 4)
    assert none.items.shape == (0, 4)
    assert none.item_ids == []


def test_nothing_held_out_reaches_a_baseline(split, fitted):
    """Other test targets change nothing; other validation targets change at most what is chosen on them."""
    rng = np.random.default_rng(1)
    other = EvaluationSet(split.test.histories, rng.integers(0, N_ITEMS, len(split.test.targets)).astype(np.int32))
    again = fit_all(Split(split.train, split.validation, other, split.name))
    for baseline in again:
        first = fitted[baseline.name].recommend(split.test.histories, 10, exclude_seen=False)
        second = baseline.recommend(split.test.histories, 10, exclude_seen=False)
        np.testing.assert_array_equal(first.items, second.items)
        np.testing.assert_array_equal(baseline.popularity, np.bincount(split.train.items, minlength=N_ITEMS))


def test_unknown_names_suggest_the_nearest(split):
    with pytest.raises(ConfigError, match="transition-counts"):
        fit_baselines(split, IDS, ["transitions-counts"])
    with pytest.raises(ConfigError, match="sasrec"):
        fit_baselines(split, IDS, settings={"sasrek": {}})


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


def test_the_clock_of_inputs_starts_once(monkeypatch):
    """Candidates of one choice share its time; baselines that are fitted one after the other have theirs each."""
    now = [100.0]
    monkeypatch.setattr("genrec.baselines.base.time.monotonic", lambda: now[0])
    given = FitInputs(seconds=5.0)
    begun = given.begin()
    assert not begun.late
    now[0] = 104.0
    assert begun.begin() is begun
    assert given.begin().deadline == 109.0
    now[0] = 105.0
    assert begun.late
    assert FitInputs().begin() == FitInputs()
    assert not FitInputs().late
