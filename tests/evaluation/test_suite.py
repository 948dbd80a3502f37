import json

import numpy as np
import polars as pl
import pytest

from genrec.baselines import TransitionCounts
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.split import custom_split, leave_one_out
from genrec.errors import ArtifactError, DataError
from genrec.evaluation.suite import evaluate_all, robustness_all, sampled_cases, write_evaluation
from genrec.evaluation.terminal import result_table

N_ITEMS = 15
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return leave_one_out(Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(3, 12)) for _ in range(90)]))


@pytest.fixture(scope="module")
def model(split):
    made = TransitionCounts(window=1, last=1).fit(split.train, IDS)
    made.name = "model"
    return made


@pytest.fixture(scope="module")
def results(split, model):
    return evaluate_all([model], split)


def test_every_report_has_baselines_slices_and_figures_beyond_accuracy(results):
    assert results[0].recommender == "model"
    assert {"popularity", "repeat-last", "transition-counts"} <= {result.recommender for result in results}
    for result in results:
        assert {"novel", "repeat", "head", "middle", "tail", "cold", "warm-user", "history-5-9"} < set(result.masks)
        assert "novelty@10" in result.metrics


def test_the_folder_of_a_report(results, split, model, tmp_path):
    noisy = robustness_all([model], split, users=20, more={"dataset": "toy"})
    out = tmp_path / "report"
    comparison = write_evaluation(out, results, IDS, dataset="toy", part="test", command="genrec x", noisy=noisy)
    assert comparison.reference == "model"
    rows = json.loads((out / "metrics.json").read_text())
    main = [row for row in rows if row["targets"] == "all"]
    assert [row["recommender"] for row in main] == [result.recommender for result in results]
    assert all(row["cases"] < 90 for row in rows if row["targets"] not in ("all", "novel", "repeat"))
    assert "<html" in (out / "report.html").read_text()
    assert "## Slices" in (out / "metrics.md").read_text()
    assert {row["recommender"] for row in json.loads((out / "robustness.json").read_text())} == {
        "model",
        "transition-counts",
    }
    frame = pl.read_parquet(out / "users" / "model.parquet")
    assert len(frame) == 90
    assert {"rank", "head", "novelty@10"} < set(frame.columns)
    with pytest.raises(ArtifactError):
        write_evaluation(out, results, IDS, dataset="toy", part="test", command="genrec x")


def test_candidates_follow_the_sample_of_cases(split, model):
    cases, chosen = sampled_cases(split, "test", 30, seed=3)
    candidates = Histories.from_lists([[target] for target in split.test.targets])
    got = evaluate_all([model], split, users=30, seed=3, candidates=candidates, exclude_seen=False, baselines=())[0]
    assert got.cases == len(chosen) == 30
    assert got.metrics["recall@1"] == 1.0
    np.testing.assert_array_equal(got.targets, cases.targets)


def test_other_catalogues_are_refused(split, model):
    other = TransitionCounts().fit(split.train, [f"x{n}" for n in range(N_ITEMS)])
    with pytest.raises(DataError, match="different catalogues"):
        evaluate_all([model, other], split)


def several_cases_a_user():
    """A split by parts in which every user has four test cases."""
    rng = np.random.default_rng(1)
    walks = [(rng.integers(N_ITEMS) + np.arange(10)) % N_ITEMS for _ in range(40)]
    parts = ["train"] * 5 + ["validation"] + ["test"] * 4
    rows = [
        (f"u{user}", IDS[item], when, part)
        for user, walk in enumerate(walks)
        for when, (item, part) in enumerate(zip(walk, parts, strict=True))
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "part"], orient="row")
    return custom_split(Interactions.from_frame(frame, part_column="part"), IDS)


def test_cases_and_users_are_told_apart(tmp_path):
    split = several_cases_a_user()
    model = TransitionCounts(window=1, last=1).fit(split.train, IDS)
    results = evaluate_all([model], split, baselines=("popularity",), exclude_seen=False)
    write_evaluation(tmp_path / "report", results, IDS, dataset="toy", part="test", command="genrec x")
    rows = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert {(row["cases"], row["users"]) for row in rows if row["targets"] == "all"} == {(160, 40)}
    assert all(row["users"] <= row["cases"] for row in rows)
    page = (tmp_path / "report" / "metrics.md").read_text()
    assert "each drawn with all of its cases" in page
    assert "| cases | users |" in page
    assert "160 test cases of 40 users" in (tmp_path / "report" / "report.html").read_text()
    assert "40 " in result_table(results).splitlines()[2]


def test_a_sample_of_users_has_all_of_their_cases():
    cases, chosen = sampled_cases(several_cases_a_user(), "test", 7)
    assert len(cases) == len(chosen) == 28
    assert len(set(cases.histories.user_ids.tolist())) == 7


def test_a_figure_has_one_interval_in_the_whole_report(results, tmp_path):
    for number, made in enumerate((results, evaluate_all([results_model()], several_cases_a_user()))):
        out = tmp_path / str(number)
        comparison = write_evaluation(out, made, IDS, dataset="toy", part="test", command="genrec x")
        rows = {
            row["recommender"]: row for row in json.loads((out / "metrics.json").read_text()) if row["targets"] == "all"
        }
        for line in comparison.rows:
            row = rows[line.recommender]
            assert (line.interval.low, line.interval.high) == (row["ndcg@10_low"], row["ndcg@10_high"])


def results_model():
    model = TransitionCounts(window=1, last=1).fit(several_cases_a_user().train, IDS)
    model.name = "model"
    return model


@pytest.mark.parametrize("name", ["a/m", "/abs/m", "../m", "..", "", "a\\m", "con\x00m", "m" * 300, "x" * 80 + "1"])
def test_nothing_is_written_outside_the_folder_of_a_report(split, name, tmp_path):
    models = [TransitionCounts(window=1, last=last).fit(split.train, IDS) for last in (1, 2)]
    for model, called in zip(models, (name, "x" * 80 + "2"), strict=True):
        model.name = called
    results = evaluate_all(models, split, baselines=())
    out = tmp_path / "inner" / "report"
    write_evaluation(out, results, IDS, dataset="toy", part="test", command="genrec x")
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["report"]
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert len(list((out / "users").iterdir())) == 2
