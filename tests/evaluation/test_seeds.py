import json

import numpy as np
import pytest
from scipy import stats

from genrec.errors import DataError
from genrec.evaluation.seeds import over_seeds, read_rows


def row(seed, value, recommender="model", **more):
    figures = {"ndcg@10": value, "ndcg@10_low": value - 0.1, "ndcg@10_high": value + 0.1}
    return {"benchmark": "b", "dataset": "d", "recommender": recommender, "seed": seed, **figures, **more}


def test_mean_spread_and_interval_are_those_of_the_textbook():
    values = [0.10, 0.12, 0.11, 0.15]
    [got] = over_seeds([row(seed, value, seconds=seed + 1.0) for seed, value in enumerate(values)])
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert got["ndcg@10"] == pytest.approx(np.mean(values))
    assert got["ndcg@10_std"] == pytest.approx(np.std(values, ddof=1))
    assert (got["ndcg@10_low"], got["ndcg@10_high"]) == (pytest.approx(low), pytest.approx(high))
    assert (got["seeds"], got["runs"], got["seed"], got["seconds"]) == ([0, 1, 2, 3], 4, None, 2.5)


def test_only_rows_of_one_run_are_merged():
    rows = [row(0, 0.1), row(0, 0.3, "other"), row(1, 0.2), row(None, 0.05, "baseline", command="x")]
    got = over_seeds(rows)
    assert [(one["recommender"], one["runs"]) for one in got] == [("model", 2), ("other", 1), ("baseline", 1)]
    assert got[1]["ndcg@10_low"] == pytest.approx(0.2)
    assert "ndcg@10_std" not in got[2]


def test_what_differs_or_is_unknown_is_left_open():
    got = over_seeds([row(0, 0.1, commit="a", device="cpu"), row(1, 0.3, commit="b", device="cpu")])[0]
    assert (got["commit"], got["device"]) == (None, "cpu")
    unknown = over_seeds([row(0, 0.1), {**row(1, 0.2), "ndcg@10": None}])[0]
    assert unknown["ndcg@10"] is None
    assert unknown["ndcg@10_low"] is None


def test_the_same_seed_twice_is_refused():
    with pytest.raises(DataError, match="two rows with seed 3"):
        over_seeds([row(3, 0.1), row(3, 0.2)])


def test_results_files_are_read_in_order(tmp_path):
    for seed in (0, 1):
        (tmp_path / f"{seed}.json").write_text(json.dumps([row(seed, 0.1)]))
    assert [one["seed"] for one in read_rows([tmp_path / "0.json", tmp_path / "1.json"])] == [0, 1]
    (tmp_path / "bad.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match="holds no results"):
        read_rows([tmp_path / "bad.json"])
    with pytest.raises(DataError, match="cannot be read"):
        read_rows([tmp_path / "missing.json"])


@pytest.mark.parametrize("key", ["recommender", "split", "cases", "seed", "recall@10", "seconds"])
@pytest.mark.parametrize("value", [[1], {"a": 1}, 10**400, "x"])
def test_results_that_somebody_edited_are_one_error(key, value, tmp_path):
    row = {"recommender": "m", "split": "s", "cases": 3, "seed": 1, "recall@10": 0.5, "seconds": 2.0}
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps([row, {**row, "seed": 2, key: value}]))
    if value == "x" and "@" not in key and key != "seconds":
        assert over_seeds(read_rows([path]))  # names may be anything
        return
    with pytest.raises(DataError, match=f"says {key}") as error:
        read_rows([path])
    assert error.value.where == path


def test_results_nested_without_end_are_one_error(tmp_path):
    (tmp_path / "metrics.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="cannot be read"):
        read_rows([tmp_path / "metrics.json"])
