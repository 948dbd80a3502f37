import numpy as np
import pytest

from genrec.baselines import Popularity, RepeatLast, TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, leave_one_out
from genrec.errors import ConfigError, DataError
from genrec.evaluation.evaluator import REPEATS_REMARK, evaluate
from genrec.evaluation.slices import by_history_length, by_novelty
from genrec.recommender import Recommender

N_ITEMS = 25
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return leave_one_out(Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(3, 9)) for _ in range(60)]))


class Fixed(Recommender):
    """Gives rows of a table, by the number in the user id."""

    name = "fixed"

    def __init__(self, table, item_ids=IDS):
        self.table, self.item_ids = np.asarray(table, dtype=np.int32), item_ids

    def _rank(self, histories, request):
        items = self.table[histories.user_ids.astype(int), : request.k]
        return items, np.where(items >= 0, 0.0, -np.inf).astype(np.float32)


def cases(histories, targets):
    return EvaluationSet(Histories.from_lists(histories), np.array(targets, dtype=np.int32))


def test_metrics_equal_counting_by_hand(split):
    baseline = TransitionCounts(2, 2).fit(split.train, IDS)
    result = evaluate(baseline, split.test, ks=(3, 1), batch_users=7)
    hits, gains = 0, 0.0
    for user, target in enumerate(split.test.targets):
        history = [IDS[item] for item in split.test.histories[user]]
        [got] = baseline.recommend([history], 3).item_ids
        if IDS[target] in got:
            hits, gains = hits + 1, gains + 1 / np.log2(got.index(IDS[target]) + 2)
    assert result.ks == (1, 3)
    assert result.metrics["recall@3"] == result.metrics["hit@3"] == pytest.approx(hits / 60)
    assert result.metrics["ndcg@3"] == pytest.approx(gains / 60)
    assert result.values("ndcg@3").mean() == pytest.approx(gains / 60)


@pytest.mark.parametrize("batch_users", [1, 13, 1000])
def test_the_batch_size_changes_nothing(split, batch_users):
    baseline = Popularity().fit(split.train, IDS)
    one, other = evaluate(baseline, split.test), evaluate(baseline, split.test, batch_users=batch_users)
    np.testing.assert_array_equal(one.ranks, other.ranks)
    assert one.metrics == other.metrics
    np.testing.assert_array_equal(one.exposure, other.exposure)


def test_slices_add_up(split):
    result = evaluate(Popularity().fit(split.train, IDS), split.test, exclude_seen=False)
    novel, repeat = result.mask("novel"), result.mask("repeat")
    assert (novel ^ repeat).all()
    whole = (
        result.slice_metrics("novel")["ndcg@10"] * novel.sum()
        + result.slice_metrics("repeat")["ndcg@10"] * repeat.sum()
    )
    assert whole / 60 == pytest.approx(result.metrics["ndcg@10"])


def test_repeat_targets_cannot_be_hit_when_seen_items_are_excluded(split):
    result = evaluate(Popularity().fit(split.train, IDS), split.test)
    assert result.mask("repeat").any()
    assert result.slice_metrics("repeat")["recall@20"] == 0.0


def test_repeat_last_is_evaluated_with_seen_items_and_says_so(split):
    result = evaluate(RepeatLast().fit(split.train, IDS), split.test)
    assert not result.exclude_seen
    assert result.remark == REPEATS_REMARK
    assert result.slice_metrics("repeat")["recall@20"] == 1.0
    assert result.slice_metrics("novel")["recall@20"] == 0.0
    assert evaluate(RepeatLast().fit(split.train, IDS), split.test, exclude_seen=False).remark == ""


def test_shortfall_and_coverage():
    result = evaluate(Fixed([[0, 1, -1], [0, 2, 3]]), cases([[5], [5]], [1, 9]), ks=(1, 3))
    assert (result.short_users, result.missing) == (1, 1)
    assert result.metrics["coverage@1"] == pytest.approx(1 / N_ITEMS)
    assert result.metrics["coverage@3"] == pytest.approx(4 / N_ITEMS)
    assert result.exposure[:4].tolist() == [2, 1, 1, 1]
    assert result.valid == 1.0


@pytest.mark.parametrize(
    ("row", "wrong"),
    [([0, 1, 2], 0), ([0, 0, 0], 2), ([0, N_ITEMS, 2], 1), ([5, 1, 2], 1), ([0, -1, 2], 1)],
    ids=["valid", "duplicates", "no-item", "seen", "gap"],
)
def test_broken_recommendations_show_in_validity(row, wrong):
    result = evaluate(Fixed([row]), cases([[5]], [4]), ks=(3,))
    assert result.valid == pytest.approx(1 - wrong / sum(item >= 0 for item in row))


def test_a_seen_item_is_valid_where_seen_items_are_allowed():
    assert evaluate(Fixed([[5, 1]]), cases([[5]], [4]), ks=(2,), exclude_seen=False).valid == 1.0


def test_a_recommender_that_gives_nothing_has_no_validity():
    result = evaluate(Fixed([[-1]]), cases([[5]], [4]), ks=(1,))
    assert np.isnan(result.valid)
    assert result.metrics["recall@1"] == 0.0


def test_lists_shorter_than_k_in_a_tiny_catalogue():
    result = evaluate(Fixed([[1, 0]], IDS[:2]), cases([[1]], [0]), ks=(5,), exclude_seen=False)
    assert (result.short_users, result.missing) == (1, 3)
    assert result.metrics["recall@5"] == 1.0


def test_progress_reaches_the_end(split):
    seen = []
    evaluate(Popularity().fit(split.train, IDS), split.test, batch_users=25, progress=lambda *now: seen.append(now))
    assert seen == [("popularity", done, 60) for done in (25, 50, 60)]


def test_own_slices_replace_the_default(split):
    result = evaluate(Popularity().fit(split.train, IDS), split.test, slices=[by_history_length()])
    assert list(result.masks) == ["all", "history-below-5", "history-5-9", "history-10-19", "history-from-20"]
    with pytest.raises(DataError, match="no slice 'novel'"):
        result.mask("novel")


def test_owners_number_users_only_where_they_repeat():
    histories = Histories.from_lists([[0], [1], [2]], ["a", "b", "a"])
    twice = EvaluationSet(histories, np.array([1, 2, 3]))
    popularity = Popularity().fit(histories, IDS)
    assert evaluate(popularity, twice).owners.tolist() == [0, 1, 0]
    assert evaluate(popularity, cases([[0], [1]], [1, 2])).owners is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (cases([], []), "no evaluation cases"),
        (cases([[1]], [N_ITEMS]), "not in the recommender's catalogue"),
        (cases([[1], [2]], [3]), "2 histories but 1 target"),
    ],
)
def test_cases_that_do_not_fit_are_refused(split, broken, message):
    with pytest.raises(DataError, match=message):
        evaluate(Popularity().fit(split.train, IDS), broken)


def test_wrong_arguments_are_refused(split):
    popularity = Popularity().fit(split.train, IDS)
    with pytest.raises(ConfigError):
        evaluate(popularity, split.test, ks=())
    with pytest.raises(ConfigError):
        evaluate(popularity, split.test, batch_users=0)
    with pytest.raises(ConfigError, match="Two slices"):
        evaluate(popularity, split.test, slices=[by_novelty, by_novelty])
    with pytest.raises(DataError, match="longer lists"):
        evaluate(popularity, split.test, ks=(5,)).values("ndcg@10")
