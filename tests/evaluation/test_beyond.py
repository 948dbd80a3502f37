import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.baselines import Popularity, TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.errors import DataError
from genrec.evaluation.beyond import ItemFacts, ListFigures, id_numbers, id_ranks
from genrec.evaluation.evaluator import evaluate
from genrec.evaluation.report import beyond_lines, per_user_frame, rows
from genrec.evaluation.slices import by_novelty

N_ITEMS = 12
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)


def random_lists(rng, users, width):
    """Distinct items, some lists short or empty."""
    lists = np.stack([rng.permutation(N_ITEMS)[:width] for _ in range(users)])
    lengths = rng.integers(0, width + 1, users)
    return np.where(np.arange(width) < lengths[:, None], lists, -1)


def test_figures_of_lists_equal_loops():
    rng = np.random.default_rng(0)
    popularity = rng.integers(0, 50, N_ITEMS)
    vectors = rng.normal(size=(N_ITEMS, 5))
    vectors[3] = 0
    histories = Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(1, 6)) for _ in range(40)])
    lists = random_lists(rng, 40, 7)
    got = ListFigures(ItemFacts(popularity, vectors), (2, 5, 9))(lists, histories)
    for user, row in enumerate(lists):
        assert got["history_popularity"][user] == pytest.approx(popularity[histories[user]].mean(), rel=1e-6)
        for k in (2, 5, 9):
            items = [item for item in row[:k] if item >= 0]
            if not items:
                assert np.isnan(got[f"novelty@{k}"][user])
                continue
            bits = [-np.log2(max(popularity[item], 1) / popularity.sum()) for item in items]
            assert got[f"novelty@{k}"][user] == pytest.approx(np.mean(bits), rel=1e-5)
            assert got[f"popularity@{k}"][user] == pytest.approx(popularity[items].mean(), rel=1e-5)
            pairs = [(a, b) for n, a in enumerate(items) for b in items[n + 1 :]]
            norms = np.linalg.norm(vectors, axis=1)
            cosines = [vectors[a] @ vectors[b] / max(norms[a] * norms[b], 1e-12) for a, b in pairs]
            expected = 1 - np.mean(cosines) if pairs else np.nan
            assert got[f"diversity@{k}"][user] == pytest.approx(expected, abs=1e-5, nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=12), st.integers(0, 10**6))
def test_id_ranks_equal_searching_the_codes(codes, seed):
    codes = np.array(codes)
    rng = np.random.default_rng(seed)
    lists = np.where(rng.random((5, 4)) < 0.8, rng.integers(0, len(codes), (5, 4)), -1)
    targets = rng.integers(0, len(codes), 5)
    got = id_ranks(lists, targets, id_numbers(codes))
    for row, target, rank in zip(lists, targets, got, strict=True):
        hits = [n + 1 for n, item in enumerate(row) if item >= 0 and (codes[item] == codes[target]).all()]
        assert rank == (hits[0] if hits else 0)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(1)
    return leave_one_out(Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(3, 9)) for _ in range(80)]))


@pytest.fixture(scope="module")
def result(split):
    rng = np.random.default_rng(2)
    facts = ItemFacts.of(
        split.train, N_ITEMS, vectors=rng.normal(size=(N_ITEMS, 4)), codes=np.arange(N_ITEMS)[:, None] // 2
    )
    baseline = TransitionCounts(window=2, last=2).fit(split.train, IDS)
    return evaluate(baseline, split.test, ks=(1, 5), facts=facts, batch_users=7)


def test_collisions_inflate_recall(split, result):
    lists = TransitionCounts(window=2, last=2).fit(split.train, IDS).recommend(split.test.histories, 5).items
    by_id = np.mean([target // 2 in row // 2 for row, target in zip(lists, split.test.targets, strict=True)])
    assert result.metrics["id_recall@5"] == pytest.approx(by_id)
    assert result.metrics["collision_inflation@5"] == pytest.approx(by_id - result.metrics["recall@5"])
    assert result.metrics["collision_inflation@5"] > 0


def test_unique_codes_inflate_nothing(split):
    facts = ItemFacts(codes=np.arange(N_ITEMS)[:, None])
    got = evaluate(Popularity().fit(split.train, IDS), split.test, facts=facts)
    np.testing.assert_array_equal(got.id_ranks, got.ranks)
    assert got.metrics["collision_inflation@10"] == 0


def test_the_lift_is_a_ratio_of_means(split, result):
    figures = result.figures
    expected = np.nanmean(figures["popularity@5"]) / np.nanmean(figures["history_popularity"])
    assert result.metrics["popularity_lift@5"] == pytest.approx(expected, rel=1e-5)
    mask = result.mask("novel")
    assert result.slice_metrics("novel")["novelty@5"] == pytest.approx(figures["novelty@5"][mask].mean(), rel=1e-5)
    popular = evaluate(
        Popularity().fit(split.train, IDS), split.test, ks=(5,), facts=ItemFacts.of(split.train, N_ITEMS)
    )
    assert popular.metrics["popularity_lift@5"] > 1
    assert popular.metrics["novelty@5"] < result.metrics["novelty@5"]


def test_reports_carry_what_was_measured(result):
    made = rows(result, benchmark="b", dataset="d", targets=["all", "novel"])
    for key in ("novelty@5", "popularity_lift@5", "diversity@5", "id_recall@5", "collision_inflation@5"):
        assert all(isinstance(row[key], float) for row in made)
    assert "gini@5" in made[0]
    assert "gini@5" not in made[1]
    [line] = beyond_lines(made, 5)
    assert list(line)[:3] == ["recommender", "coverage@5", "gini@5"]
    assert {"id_rank", "novelty@5", "history_popularity"} < set(per_user_frame(result, IDS).columns)


def test_without_facts_nothing_is_made_up(split):
    got = evaluate(Popularity().fit(split.train, IDS), split.test, slices=[by_novelty])
    assert not any(key.startswith(("novelty", "diversity", "id_", "popularity")) for key in got.metrics)
    assert {"coverage@10", "gini@10"} < set(got.metrics)
    assert got.id_ranks is None


@pytest.mark.parametrize(
    "facts", [ItemFacts(popularity=np.ones(3)), ItemFacts(vectors=np.ones((3, 2))), ItemFacts(codes=np.ones(N_ITEMS))]
)
def test_facts_of_another_catalogue_are_refused(split, facts):
    with pytest.raises(DataError, match="of the items have shape"):
        evaluate(Popularity().fit(split.train, IDS), split.test, facts=facts)
