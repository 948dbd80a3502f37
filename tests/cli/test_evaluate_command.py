import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from genrec.baselines import Popularity, TransitionCounts
from genrec.cli.main import app
from genrec.data.interactions import Interactions
from genrec.data.split import leave_one_out
from genrec.generative.recommender import GenerativeRecommender
from genrec.training.learned import remarks

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


@pytest.mark.parametrize("given", [["--beams", "5"], ["--set", "mmr=0.5"]])
def test_decoding_settings_of_baselines_alone_are_refused(given, files, tmp_path):
    model, events, _ = files
    said = invoke(model, events, *given, "--out", tmp_path / "eval")
    assert said.exit_code == 1
    assert (
        f"A baseline has no decoding settings.\n  where: {'mmr=0.5' if '--set' in given else 'beams=5'}" in said.stderr
    )
    page = ["page", model, "--histories", events, "--set", "mmr=0.5", "--out", tmp_path / "page.html"]
    said = CliRunner().invoke(app, [str(one) for one in page])
    assert said.exit_code == 1
    assert "A baseline has no decoding settings." in said.stderr
    assert not list(tmp_path.iterdir())


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


def test_a_model_may_be_called_like_a_baseline(files, tmp_path):
    """The folder that genrec baseline's own next line names, a folder with another model in it, and an explicit one."""
    model, events, _ = files
    for folder in ("popularity", "repeat-last"):
        shutil.copytree(model, tmp_path / "runs" / folder)
    result = invoke(tmp_path / "runs" / "popularity", events, "--out", tmp_path / "one")
    assert result.exit_code == 0, result.output
    assert set(rows(tmp_path / "one")) == {"runs/popularity", "popularity", "repeat-last"}
    assert sorted(path.name for path in (tmp_path / "one" / "users").iterdir()) == [
        "popularity.parquet",
        "repeat-last.parquet",
        "runs-popularity.parquet",
    ]
    both = tmp_path / "runs" / "popularity", tmp_path / "runs" / "repeat-last"
    assert invoke(*both, events, "--out", tmp_path / "two", "--baseline", "repeat-last").exit_code == 0
    assert set(rows(tmp_path / "two")) == {"popularity", "runs/repeat-last", "repeat-last"}


def test_models_whose_folders_have_the_same_name(files, tmp_path):
    model, events, _ = files
    for folder in ("a", "b"):
        shutil.copytree(model, tmp_path / "x" / folder / "m")
    before = sorted(path for path in (tmp_path / "x").rglob("*"))
    two = tmp_path / "x" / "a" / "m", tmp_path / "x" / "b" / "m"
    result = invoke(*two, events, "--out", tmp_path / "report", "--baseline", "popularity")
    assert result.exit_code == 0, result.output
    assert set(rows(tmp_path / "report")) == {"a/m", "b/m", "popularity"}
    assert sorted(path for path in (tmp_path / "x").rglob("*")) == before
    twice = invoke(two[0], tmp_path / "x" / "b" / ".." / "a" / "m", events, "--out", tmp_path / "other")
    assert twice.exit_code == 1
    assert "given twice" in twice.output


def test_baselines_that_are_given_are_not_fitted_again(files, tmp_path):
    model, events, _ = files
    result = invoke(model, events, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert set(rows(tmp_path / "report")) == {"counts", "popularity", "repeat-last"}


def test_the_split_that_a_recommender_remembers_is_evaluated(files, tmp_path):
    _, events, _ = files
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n" + "".join(f"{item},cup {item}\n" for item in IDS))
    command = ["baseline", "transition-counts", items, events, "--part-column", "part", "--out", tmp_path / "own"]
    made = CliRunner().invoke(app, list(map(str, command)))
    assert made.exit_code == 0, made.output
    result = invoke(tmp_path / "own", events, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "Split: custom, by the column 'part', as own learned from." in result.output
    other = tmp_path / "other.csv"
    other.write_text("\n".join(line.rsplit(",", 1)[0] for line in events.read_text().splitlines()) + "\n")
    refused = invoke(tmp_path / "own", other, "--out", tmp_path / "no")
    assert refused.exit_code == 1
    assert "There is no column 'part'" in refused.output


def test_recommenders_of_different_splits_are_not_mixed(files, tmp_path):
    model, events, _ = files
    split = leave_one_out(Interactions.read(events).histories(IDS))
    own = Popularity().fit(split.train, IDS)
    own.info = {"split": "custom", "split_options": {"part_column": "part"}}
    own.save_pretrained(tmp_path / "own")
    result = invoke(model, tmp_path / "own", events, "--out", tmp_path / "no")
    assert result.exit_code == 1
    assert "own was trained on another split than counts." in result.output
    told = invoke(model, tmp_path / "own", events, "--out", tmp_path / "report", "--part-column", "part")
    assert told.exit_code == 0, told.output
    assert "counts learned from another split" in told.output


def test_a_row_without_the_network_stands_beside_what_uses_words_or_counts(trained, tables, tmp_path):
    _, folder = trained
    result = invoke(folder, tables[1], "--out", tmp_path / "report", "--set", "words=5", "--beams", 5, "--k", 10)
    assert result.exit_code == 0, result.output
    found = rows(tmp_path / "report")
    own, bare = found["generative"], found["generative without network"]
    assert own["ndcg@10_gain"] == pytest.approx(own["ndcg@10"] - bare["ndcg@10"])
    assert own["ndcg@10_gain_low"] <= own["ndcg@10_gain"] <= own["ndcg@10_gain_high"]
    assert 0 < own["p"] <= 1
    assert "p" not in bare
    assert "What the network adds" in result.output
    assert "## What the network adds" in (tmp_path / "report" / "metrics.md").read_text()
    plain = invoke(folder, tables[1], "--out", tmp_path / "plain", "--beams", 5, "--k", 10)
    assert plain.exit_code == 0, plain.output
    assert "generative without network" not in rows(tmp_path / "plain")
    assert "What the network adds" not in plain.output


def test_official_cases_stand_in_the_place_of_those_of_the_split(files, tmp_path):
    model, events, _ = files
    split = leave_one_out(Interactions.read(events).histories(IDS))
    test = split.test.select(np.arange(12))
    table = tmp_path / "official.csv"
    lines = [
        f'{user},"{[IDS[item] for item in history]}",{IDS[target]}'
        for user, history, target in zip(test.histories.user_ids, test.histories, test.targets, strict=True)
    ]
    table.write_text(
        "user_id,history_item_id,item_id\n" + "\n".join([*lines, 'u1,"[]",i1', "u1,\"['i1']\",gone"]) + "\n"
    )
    result = invoke(model, events, "--out", tmp_path / "report", "--cases", table, "--baseline", "popularity")
    assert result.exit_code == 0, result.output
    assert rows(tmp_path / "report")["counts"]["cases"] == 12
    assert "12 rows" in result.output
    assert "cases: 12 of 14 rows are used." in result.output
    assert "cases: 1 unknown-targets: cases with a target that the catalogue does not have" in result.output
    assert "leave-one-out, official cases" in result.output
    assert "too good" not in result.output
    leaky = tmp_path / "leaky.csv"
    leaky.write_text(f"user_id,history,item_id\nu0,{IDS[split.train[0][0]]},{IDS[split.train[0][1]]}\n")
    told = invoke(model, events, "--out", tmp_path / "leaky", "--cases", leaky, "--baseline", "popularity")
    assert told.exit_code == 0, told.output
    assert "these figures are too good" in told.output


def test_what_training_found_is_said_beside_the_figures(trained, tables, tmp_path):
    recommender = GenerativeRecommender.from_pretrained(trained[1])
    own = {"metric": "ndcg@10", "cases": 40, "kept": "trained", "together": 0.05, "counting": 0.4}
    recommender.metrics.update(learned=own, still_rising=True, epochs=2.0)
    recommender.metrics["prior"] = {"name": "transition-counts", "weight": 8.0, "tried": [{"weight": 8.0}]}
    recommender.save_pretrained(tmp_path / "doubtful")
    result = invoke(tmp_path / "doubtful", tables[1], "--out", tmp_path / "report", "--baseline", "popularity")
    assert result.exit_code == 0, result.output
    for sentence in remarks(recommender.metrics):
        assert f"as its training found: {sentence}" in result.output
    assert "Validation was still rising when the epochs ended" in result.output
    assert "is the largest that was tried" in result.output
    assert "Counting alone recommends better: NDCG@10 0.4000 against 0.0500" in result.output
