import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import coverage_error, label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score

from genrec.errors import DataError
from genrec.metrics import METRICS, gini, mean_metrics, metric_values, ranks_from_scores

N_ITEMS = 40


@pytest.fixture(scope="module")
def ranked():
    """Random scores without ties, targets, and the ranks of the targets."""
    rng = np.random.default_rng(3)
    scores = rng.permuted(np.tile(np.arange(N_ITEMS, dtype=float), (300, 1)), axis=1)
    targets = rng.integers(0, N_ITEMS, 300)
    lists = np.argsort(-scores, axis=1)
    ranks = np.argmax(lists == targets[:, None], axis=1) + 1
    return scores, targets, ranks


@pytest.mark.parametrize("k", [1, 5, 10, 20])
def test_metrics_equal_those_of_scikit_learn(ranked, k):
    scores, targets, ranks = ranked
    truth = np.eye(N_ITEMS)[targets]
    means = mean_metrics(np.where(ranks <= 20, ranks, 0), [k])
    assert means[f"ndcg@{k}"] == pytest.approx(ndcg_score(truth, scores, k=k))
    accuracy = top_k_accuracy_score(targets, scores, k=k, labels=np.arange(N_ITEMS))
    assert means[f"recall@{k}"] == means[f"hit@{k}"] == pytest.approx(accuracy)
    within = ranks <= k
    precision = label_ranking_average_precision_score(truth[within], scores[within]) * within.mean()
    assert means[f"mrr@{k}"] == means[f"map@{k}"] == pytest.approx(precision)


def test_ranks_from_scores_equal_scikit_learn(ranked):
    scores, targets, ranks = ranked
    np.testing.assert_array_equal(ranks_from_scores(scores, targets), ranks)
    tied = np.floor(scores / 4)
    worst = ranks_from_scores(tied, targets, ties="worst")
    assert worst.mean() == pytest.approx(coverage_error(np.eye(N_ITEMS)[targets], tied))


def test_the_expected_rank_is_the_mean_over_all_orders_of_ties():
    rng = np.random.default_rng(0)
    scores, targets = rng.integers(0, 4, (50, 12)).astype(float), rng.integers(0, 12, 50)
    shuffled = [ranks_from_scores(scores + rng.random((50, 12)) / 2, targets) for _ in range(3000)]
    np.testing.assert_allclose(np.mean(shuffled, axis=0), ranks_from_scores(scores, targets), atol=0.3)


def test_constant_scores_gain_nothing():
    ranks = ranks_from_scores(np.zeros((4, 99)), np.arange(4))
    assert ranks.tolist() == [50.0] * 4


def test_an_unranked_target_has_no_rank():
    assert ranks_from_scores(np.array([[-np.inf, 1.0]]), np.array([0])).tolist() == [0.0]


@settings(deadline=None)
@given(arrays(np.int32, st.integers(1, 30), elements=st.integers(0, 20)), st.integers(1, 20))
def test_properties_of_every_metric(ranks, k):
    for metric in METRICS.values():
        values = metric(ranks, k)
        assert ((values >= 0) & (values <= 1)).all()
        assert (values[(ranks == 0) | (ranks > k)] == 0).all()
        assert (values[ranks == 1] == 1).all()
        assert (metric(ranks, k + 1) >= values).all()


def test_no_cases_have_no_mean():
    assert np.isnan(mean_metrics(np.zeros(0, int), [5])["ndcg@5"])


@pytest.mark.parametrize("name", ["ndgc@10", "ndcg", "ndcg@x", "ndcg@0"])
def test_wrong_metric_names_are_refused(name):
    with pytest.raises(DataError):
        metric_values(np.array([1]), name)


@pytest.mark.parametrize("n", [1, 7])
def test_gini_equals_the_mean_absolute_difference(n):
    counts = np.random.default_rng(n).integers(1, 9, n)
    pairs = np.abs(counts[:, None] - counts[None, :]).sum()
    assert gini(counts) == pytest.approx(pairs / (2 * n * counts.sum()))
    assert np.isnan(gini(np.zeros(n)))
