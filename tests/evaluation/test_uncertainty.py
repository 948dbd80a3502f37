import time

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.evaluation.uncertainty import bootstrap, bootstrap_metrics, holm, paired_difference


def test_the_bootstrap_is_that_of_drawing_users_one_by_one():
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.4, 1.0], size=300, p=[0.8, 0.15, 0.05])
    drawn = values[rng.integers(0, 300, (4000, 300))].mean(axis=1)
    [interval] = bootstrap(values, resamples=4000)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(low, abs=0.004)
    assert interval.high == pytest.approx(high, abs=0.004)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    truth, covered = 0.06, 0
    for trial in range(400):
        values = (rng.random(1500) < truth).astype(float)
        [interval] = bootstrap(values, resamples=500, seed=trial)
        covered += interval.low <= truth <= interval.high
    assert 0.92 <= covered / 400 <= 0.98


def test_intervals_of_users_with_many_cases_are_wider():
    """Cases of one user are alike, so 100 users with 20 cases say little more than 100 cases."""
    rng = np.random.default_rng(2)
    values = np.repeat((rng.random(100) < 0.3).astype(float), 20)
    users = np.repeat(np.arange(100), 20)
    [by_case], [by_user] = bootstrap(values), bootstrap(values, users)
    [of_users] = bootstrap(values[::20])
    assert by_user.high - by_user.low > 3 * (by_case.high - by_case.low)
    assert by_user.high - by_user.low == pytest.approx(of_users.high - of_users.low, rel=0.15)


def test_clustered_intervals_do_not_depend_on_the_order_or_kind_of_user_ids():
    rng = np.random.default_rng(5)
    values, users = rng.integers(0, 3, 60) / 2, rng.integers(0, 20, 60)
    order = rng.permutation(60)
    assert bootstrap(values, users) == bootstrap(values[order], users[order].astype(str))


def test_many_metrics_at_once_equal_the_metrics_one_by_one():
    ranks = np.random.default_rng(3).integers(0, 8, 500)
    joint = bootstrap_metrics(ranks, ["recall@5", "mrr@5"])
    table = np.stack([(ranks > 0) & (ranks <= 5), np.where((ranks > 0) & (ranks <= 5), 1 / np.maximum(ranks, 1), 0)], 1)
    for got, expected in zip(joint.values(), bootstrap(table), strict=True):
        assert got.mean == pytest.approx(expected.mean)
        assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    clustered = bootstrap_metrics(ranks, ["recall@5"], np.arange(500) // 2)["recall@5"]
    [expected] = bootstrap(table[:, 0], np.arange(500) // 2)
    assert clustered == expected


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(50)
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4) != bootstrap(values, seed=5)


def test_nothing_to_average_gives_nan():
    [interval] = bootstrap(np.zeros(0))
    assert np.isnan([interval.mean, interval.low, interval.high]).all()
    assert np.isnan(bootstrap_metrics(np.zeros(0, int), ["ndcg@5"])["ndcg@5"].high)
    assert np.isnan(paired_difference(np.zeros(0), np.zeros(0)).p_value)


def test_identical_results_are_never_different():
    for seed in range(20):
        values = np.random.default_rng(seed).random(200)
        difference = paired_difference(values, values, seed=seed)
        assert (difference.mean, difference.low, difference.high, difference.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_paired_test_is_right_about_equal_recommenders():
    """Two equally good recommenders: p below .05 in about one trial of twenty."""
    rng = np.random.default_rng(7)
    low = 0
    for trial in range(300):
        first, second = (rng.random((2, 400)) < 0.1).astype(float)
        low += paired_difference(first, second, permutations=500, resamples=20, seed=trial).p_value < 0.05
    assert low / 300 < 0.09


def test_the_permutation_test_equals_flipping_signs_one_by_one():
    rng = np.random.default_rng(8)
    gains = rng.choice([-0.5, 0.0, 0.3, 1.0], 80)
    flips = rng.choice([-1.0, 1.0], (20_000, 80)) @ gains
    expected = (np.abs(flips) >= abs(gains.sum()) - 1e-9).mean()
    assert paired_difference(gains, np.zeros(80)).p_value == pytest.approx(expected, abs=0.015)


def test_the_interval_of_a_difference_covers_the_truth():
    rng = np.random.default_rng(9)
    covered = 0
    for trial in range(300):
        chance = rng.random(800)
        first, second = (chance < 0.10).astype(float), ((chance + 0.01 * rng.random(800)) < 0.07).astype(float)
        difference = paired_difference(first, second, resamples=400, permutations=10, seed=trial)
        covered += difference.low <= 0.10 - 0.065 <= difference.high
    assert covered / 300 >= 0.91


def test_holm_by_hand():
    assert holm(np.array([0.04, 0.001, np.nan, 0.5])).tolist()[:2] == [0.08, 0.003]
    assert np.isnan(holm(np.array([0.04, np.nan]))[1])
    assert holm(np.zeros(0)).tolist() == []


def test_results_on_other_cases_cannot_be_paired():
    with pytest.raises(DataError, match="cannot be paired"):
        paired_difference(np.zeros(3), np.zeros(4))
    with pytest.raises(DataError, match="2 users for 3 cases"):
        bootstrap(np.zeros(3), np.zeros(2))


def test_a_thousand_resamples_of_many_users_are_quick():
    ranks = np.random.default_rng(0).integers(0, 21, 200_000)
    started = time.perf_counter()
    bootstrap_metrics(ranks, [f"{name}@{k}" for name in ("recall", "ndcg", "mrr") for k in (1, 5, 10, 20)])
    assert time.perf_counter() - started < 3
