import json

import numpy as np
import polars as pl
import pytest

from genrec.baselines import Popularity, RepeatLast
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.evaluation.evaluator import REPEATS_REMARK, evaluate
from genrec.evaluation.report import (
    REPEATS_NOTE,
    markdown_table,
    per_user_frame,
    rows,
    write_per_user,
    write_results,
)
from genrec.evaluation.tables import plain_table
from genrec.evaluation.terminal import result_table

N_ITEMS = 15
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    split = leave_one_out(Histories.from_lists([rng.integers(0, N_ITEMS, 6) for _ in range(50)]))
    return [evaluate(kind().fit(split.train, IDS), split.test) for kind in (Popularity, RepeatLast)]


def test_rows_are_flat_json_with_intervals(results):
    made = [row for result in results for row in rows(result, benchmark="baselines", dataset="toy", command="genrec x")]
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert [(row["recommender"], row["targets"]) for row in made] == [
        ("popularity", "all"),
        ("popularity", "novel"),
        ("repeat-last", "all"),
        ("repeat-last", "novel"),
    ]
    for row in made:
        assert row["kind"] == "baseline"
        for name in ("recall", "ndcg", "mrr", "hit"):
            for k in (1, 5, 10, 20):
                assert row[f"{name}@{k}_low"] <= row[f"{name}@{k}"] <= row[f"{name}@{k}_high"]
    assert made[0]["users"] == 50
    assert made[0]["users"] > made[1]["users"]
    assert made[0]["recall@10"] == pytest.approx(results[0].metrics["recall@10"])
    assert made[2]["remark"] == REPEATS_REMARK


def test_undefined_figures_are_null(results):
    empty = {**results[0].__dict__, "masks": {"all": np.zeros(50, dtype=bool)}}
    empty.pop("owners", None)
    [row] = rows(type(results[0])(**empty), benchmark="b", dataset="d", targets=["all"])
    assert row["ndcg@10"] is None
    assert row["ndcg@10_low"] is None


def test_intervals_can_be_left_out(results):
    [row] = rows(results[0], benchmark="b", dataset="d", targets=["all"], resamples=0, more={"tokenizer": "x"})
    assert not any(key.endswith("_low") for key in row)
    assert row["tokenizer"] == "x"


def test_results_files(results, tmp_path):
    made = [row for result in results for row in rows(result, benchmark="baselines", dataset="toy")]
    write_results(tmp_path / "results", "toy-baselines", made, title="Baselines", command="bash scripts/x.sh")
    assert json.loads((tmp_path / "results" / "toy-baselines.json").read_text()) == made
    page = (tmp_path / "results" / "toy-baselines.md").read_text()
    assert page.startswith("# Baselines\n\n`bash scripts/x.sh`\n")
    assert "| repeat-last |" in page
    assert REPEATS_NOTE in page
    assert REPEATS_REMARK in page
    main, beyond = page.split("## Beyond accuracy")
    assert "coverage@10" in beyond
    table = [line for line in main.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + len(made)


def test_markdown_of_nothing_is_empty():
    assert markdown_table([]) == ""


def test_the_table_for_a_terminal(results):
    text = result_table(results)
    lines = text.splitlines()
    assert lines[0].split()[:3] == ["targets", "recommender", "cases"]
    assert sum(line.startswith("novel") for line in lines) == 2
    assert sum(line.startswith("repeat ") for line in lines) == 2
    assert REPEATS_NOTE in lines
    assert f"{results[0].metrics['ndcg@10']:.4f}" in text
    only = result_table(results, ["recall@20"], ["all"])
    assert "novel" not in only
    assert "ndcg" not in only


def test_broken_lists_are_told(results):
    broken = type(results[0])(**{k: v for k, v in results[0].__dict__.items() if k != "owners"} | {"valid": 0.9})
    assert "popularity: 10.00% of the recommended entries are not valid." in result_table([broken])


def test_plain_table_of_nothing():
    assert plain_table([]) == "\n"


def test_one_line_a_user(results, tmp_path):
    result = results[0]
    path = tmp_path / "users.parquet"
    write_per_user(path, result, IDS)
    frame = pl.read_parquet(path)
    assert frame.equals(per_user_frame(result, IDS))
    assert frame.columns == ["user_id", "item_id", "rank", "novel", "repeat"]
    assert frame["rank"].null_count() == int((result.ranks == 0).sum())
    assert frame["item_id"].to_list() == [IDS[target] for target in result.targets]
