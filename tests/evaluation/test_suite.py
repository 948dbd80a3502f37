import json

import numpy as np
import polars as pl
import pytest

from genrec.baselines import TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.errors import ArtifactError, DataError
from genrec.evaluation.suite import evaluate_all, robustness_all, sampled_cases, write_evaluation

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
    assert all(row["users"] < 90 for row in rows if row["targets"] not in ("all", "novel", "repeat"))
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
    assert got.users == len(chosen) == 30
    assert got.metrics["recall@1"] == 1.0
    np.testing.assert_array_equal(got.targets, cases.targets)


def test_other_catalogues_are_refused(split, model):
    other = TransitionCounts().fit(split.train, [f"x{n}" for n in range(N_ITEMS)])
    with pytest.raises(DataError, match="different catalogues"):
        evaluate_all([model, other], split)
