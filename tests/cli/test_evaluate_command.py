import json

import numpy as np
import pytest
from typer.testing import CliRunner

from genrec.baselines import TransitionCounts
from genrec.cli.main import app
from genrec.data.interactions import Interactions
from genrec.data.split import leave_one_out

IDS = [f"i{n}" for n in range(30)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A saved baseline, its interactions, and a table of candidates that holds every target."""
    folder = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    lines = []
    for user in range(50):
        walk = (rng.integers(30) + np.cumsum(rng.choice([1, 2], 7))) % 30
        parts = ["train"] * 5 + ["validation", "test"]
        lines += [f"u{user},i{item},{n},{parts[n]}" for n, item in enumerate(walk)]
    events, candidates = folder / "events.csv", folder / "candidates.csv"
    events.write_text("user_id,item_id,timestamp,part\n" + "\n".join(lines) + "\n")
    split = leave_one_out(Interactions.read(events).histories(IDS))
    pairs = [f"{u},i{t}" for u, t in zip(split.test.histories.user_ids, split.test.targets, strict=True)]
    candidates.write_text("user_id,item_id\n" + "\n".join(pairs) + "\n")
    TransitionCounts(window=2, last=2).fit(split.train, IDS).save_pretrained(folder / "counts")
    return folder / "counts", events, candidates


def invoke(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def rows(folder, targets="all"):
    return {
        row["recommender"]: row
        for row in json.loads((folder / "metrics.json").read_text())
        if row["targets"] == targets
    }


def test_a_saved_baseline_is_evaluated_with_a_page_and_noise(files, tmp_path):
    model, events, _ = files
    out = tmp_path / "report"
    result = invoke(model, events, "--out", out, "--robustness", 10, "--baseline", "popularity")
    assert result.exit_code == 0, result.output
    assert set(rows(out)) == {"counts", "popularity"}
    assert "With noisy histories" in (out / "report.html").read_text()
    assert "report.html" in result.output
    assert "What is really different" in result.output


def test_an_own_split_and_candidates(files, tmp_path):
    model, events, candidates = files
    options = ("--part-column", "part", "--candidates", candidates, "--include-seen", "--baseline", "popularity")
    result = invoke(model, events, "--out", tmp_path / "report", *options)
    assert result.exit_code == 0, result.output
    found = rows(tmp_path / "report")
    assert {row["recall@1"] for row in found.values()} == {1.0}
    assert "hold 100.0 % of the targets" in found["counts"]["remark"]
    assert "(custom)" in result.output
    assert "ranked within given candidates" in (tmp_path / "report" / "metrics.md").read_text()


def test_fields_of_items_need_an_index(files, tmp_path):
    model, events, _ = files
    result = invoke(model, events, "--out", tmp_path / "report", "--slice", "brand")
    assert result.exit_code == 1
    assert "needs a recommender with an index" in result.output
    assert not (tmp_path / "report").exists()


def test_decoding_settings_can_be_changed_for_an_evaluation(trained, tables, tmp_path):
    _, folder = trained
    changes = ("--set", "prior=null", "--set", "normalize=children", "--set", "words=3", "--beams", 2, "--k", 2)
    result = invoke(folder, tables[1], "--out", tmp_path / "report", "--baseline", "word-neighbours", *changes)
    assert result.exit_code == 0, result.output
    assert "recall@2" in rows(tmp_path / "report")["generative"]
    assert "recall@2" in rows(tmp_path / "report")["word-neighbours"]
    wrong = invoke(folder, tables[1], "--out", tmp_path / "other", "--set", "normalise=children")
    assert wrong.exit_code == 1
    assert "Did you mean 'normalize'?" in wrong.output
    assert not (tmp_path / "other").exists()
