import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.baselines import Popularity, TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, leave_one_out
from genrec.errors import ConfigError, DataError
from genrec.evaluation.evaluator import evaluate
from genrec.evaluation.robustness import NOISES, perturb, robustness, robustness_lines, write_robustness

N_ITEMS = 30
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)
POPULARITY = np.arange(N_ITEMS)


def walkers(users=150, seed=0):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([(rng.integers(N_ITEMS) + np.arange(8)) % N_ITEMS for _ in range(users)])


@pytest.fixture(scope="module")
def split():
    return leave_one_out(walkers())


@pytest.mark.parametrize("noise", NOISES)
@given(share=st.floats(0, 1), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_noise_keeps_users_targets_and_sense(noise, share, seed):
    cases = leave_one_out(walkers(20)).test
    noisy = perturb(cases, noise, share, POPULARITY, seed=seed)
    assert (noisy.targets == cases.targets).all()
    assert (noisy.histories.user_ids == cases.histories.user_ids).all()
    assert noisy.histories.lengths.min() >= 1
    for before, after, target in zip(cases.histories, noisy.histories, cases.targets, strict=True):
        put_in = [item for item in after if item not in before]
        assert target not in put_in
        if noise == "replace":
            assert len(after) == len(before)
        if noise == "delete":
            assert not put_in
            assert len(after) <= len(before)
        if noise == "inject-popular":
            rest = iter(after.tolist())
            assert all(item in rest for item in before.tolist())  # in the same order
            assert len(after) <= 2 * len(before)


@pytest.mark.parametrize("noise", NOISES)
def test_more_noise_hits_the_same_events_and_more(split, noise):
    few, many = (perturb(split.test, noise, share, POPULARITY) for share in (0.2, 0.5))
    if noise == "replace":
        changed = [
            few.histories.items != split.test.histories.items,
            many.histories.items != split.test.histories.items,
        ]
        assert (changed[1] >= changed[0]).all()
        assert changed[0].mean() == pytest.approx(0.2, abs=0.04)
    sign = -1 if noise == "delete" else 1
    grown = [sign * (len(one.histories.items) / len(split.test.histories.items) - 1) for one in (few, many)]
    if noise != "replace":
        assert grown == pytest.approx([0.2, 0.5], abs=0.08)


def test_injected_items_follow_popularity(split):
    weights = np.zeros(N_ITEMS)
    weights[[4, 9]] = 3, 1
    noisy = perturb(split.test, "inject-popular", 1.0, weights)
    added = noisy.histories.items[1::2]
    targets = np.repeat(split.test.targets, split.test.histories.lengths)
    free = ~np.isin(targets, [4, 9])
    assert set(added.tolist()) == {4, 9}
    assert (added[free] == 4).mean() == pytest.approx(0.75, abs=0.05)


def test_without_noise_and_with_the_same_seed_nothing_changes(split):
    for noise in NOISES:
        assert (perturb(split.test, noise, 0.0, POPULARITY).histories.items == split.test.histories.items).all()
        one, other = (perturb(split.test, noise, 0.4, POPULARITY, seed=5).histories.items for _ in range(2))
        np.testing.assert_array_equal(one, other)


def test_curves(split, tmp_path):
    counts = TransitionCounts(window=3, last=3).fit(split.train, IDS)
    popularity = np.bincount(split.train.items, minlength=N_ITEMS)
    rows = robustness(counts, split.test, popularity, shares=(0.3, 0.9), seed=1, more={"dataset": "toy"})
    assert [(row["noise"], row["share"]) for row in rows] == [(n, s) for n in NOISES for s in (0.0, 0.3, 0.9)]
    clean = evaluate(counts, split.test, ks=(10,))
    for row in rows:
        assert row["recall@10_low"] <= row["recall@10"] <= row["recall@10_high"]
        assert row["dataset"] == "toy"
        if not row["share"]:
            assert row["recall@10"] == pytest.approx(clean.metrics["recall@10"])
            assert row["recall@10_kept"] == 1.0
    replaced = [row["ndcg@10"] for row in rows if row["noise"] == "replace"]
    assert replaced[0] > replaced[1] > replaced[2]
    calm = robustness(
        Popularity().fit(split.train, IDS), split.test, popularity, noises=("delete",), exclude_seen=False
    )
    assert len({row["recall@10"] for row in calm}) == 1
    assert len(robustness_lines(rows)) == 3
    write_robustness(tmp_path, rows, command="genrec x")
    assert "left out" in (tmp_path / "robustness.md").read_text()


def test_wrong_noise_is_refused(split):
    with pytest.raises(ConfigError, match="Unknown noise"):
        perturb(split.test, "typo", 0.1, POPULARITY)
    with pytest.raises(ConfigError, match="share of noise"):
        perturb(split.test, "delete", 1.5, POPULARITY)
    only = np.zeros(N_ITEMS)
    only[split.test.targets[0]] = 1
    with pytest.raises(DataError, match="No item but the target"):
        perturb(split.test, "inject-popular", 0.5, only)
    with pytest.raises(DataError, match="popularities for"):
        robustness(Popularity().fit(split.train, IDS), split.test, np.ones(3))


def test_an_empty_history_stays_empty():
    cases = EvaluationSet(Histories.from_lists([[], [1, 2]]), np.array([3, 3]))
    for noise in NOISES:
        assert perturb(cases, noise, 1.0, POPULARITY).histories.lengths[0] == 0
