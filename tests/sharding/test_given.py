"""Finished batch jobs beside recommenders: measured as who made them would be, refused where they do not fit."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.data import Interactions
from genrec.data.histories import Histories
from genrec.data.split import SPLITS
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.recommender import Recommender
from genrec.sharding import JobSettings, run_sharded
from genrec.sharding.given import GivenLists
from genrec.sharding.prints import as_text, from_text, history_prints

K = 20


@pytest.fixture(scope="module")
def counts(tables, tmp_path_factory):
    """A saved recommender that answers at once."""
    folder = tmp_path_factory.mktemp("given") / "counts"
    words = ["baseline", "transition-counts", *map(str, tables), "--set", "window=1", "--out", str(folder)]
    assert CliRunner().invoke(app, words).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def split(counts, tables):
    return SPLITS["leave-one-out"](Interactions.read(tables[1]).histories(Recommender.from_pretrained(counts).item_ids))


def write_histories(histories, item_ids, path):
    """What users had, as a table without what was held out."""
    users = np.repeat(histories.user_ids, np.diff(histories.offsets))
    frame = {"user_id": users.tolist(), "item_id": item_ids[histories.items].tolist()}
    pl.DataFrame({**frame, "timestamp": np.arange(len(users))}).write_csv(path)


@pytest.fixture(scope="module")
def recs(counts, split, tmp_path_factory):
    """Lists for the histories of the test cases."""
    folder = tmp_path_factory.mktemp("recs")
    write_histories(split.test.histories, Recommender.from_pretrained(counts).item_ids, folder / "histories.csv")
    run_sharded(JobSettings(str(counts), k=K), folder / "histories.csv", folder / "recs", shard_users=20)
    return folder / "recs"


def evaluate(*words):
    return CliRunner().invoke(app, ["evaluate", *map(str, words), "--baseline", "popularity"])


def test_lists_are_measured_as_the_recommender_that_made_them(counts, recs, tables, tmp_path):
    made = evaluate(counts, recs, tables[1], "--out", tmp_path / "report")
    assert made.exit_code == 0, made.output
    rows = json.loads((tmp_path / "report" / "metrics.json").read_text())
    found = {row["recommender"]: row for row in rows if row["targets"] == "all"}
    assert set(found) == {"counts", "recs", "popularity"}
    for name in ("ndcg@10", "recall@20", "coverage@10", "valid"):
        assert found["recs"][name] == pytest.approx(found["counts"][name], abs=1e-6)
    assert found["recs"]["ndcg@10"] > 0


def test_lists_for_the_test_come_from_the_command_line(counts, recs, tables, tmp_path):
    """As the documentation says it; the cut-offs follow the lists, and the shards are those of the cases."""
    words = ["generate", counts, tables[1], "--hold-out", 1, "--k", 7, "--shard-users", 20, "--out", tmp_path / "recs"]
    made = CliRunner().invoke(app, [*map(str, words)])
    assert made.exit_code == 0, made.output
    made = evaluate(counts, tmp_path / "recs", tables[1], "--out", tmp_path / "report")
    assert made.exit_code == 0, made.output
    rows = json.loads((tmp_path / "report" / "metrics.json").read_text())
    found = {row["recommender"]: row for row in rows if row["targets"] == "all"}
    assert found["recs"]["ndcg@5"] == pytest.approx(found["counts"]["ndcg@5"], abs=1e-6)
    assert "recall@5" in found["recs"]
    assert "recall@10" not in found["recs"]


def test_held_out_items_are_not_read_in_a_table_either(counts, recs, tables, tmp_path):
    words = ["generate", counts, tables[1], "--k", K, "--out", tmp_path / "recs.csv"]
    made = CliRunner().invoke(app, [*map(str, [*words, "--hold-out", 1])])
    assert made.exit_code == 0, made.output
    wanted = pl.concat([pl.read_parquet(path) for path in sorted(recs.glob("part-*"))]).sort("user_id", "rank")
    found = pl.read_csv(tmp_path / "recs.csv").sort("user_id", "rank")
    assert found["item_id"].to_list() == wanted["item_id"].to_list()
    longest = Interactions.read(tables[1]).histories(Recommender.from_pretrained(counts).item_ids).lengths.max()
    refused = CliRunner().invoke(app, [*map(str, [*words, "--overwrite", "--hold-out", longest])])
    assert refused.exit_code == 1
    assert "No history has more than" in refused.output


def test_a_user_gets_the_own_list_and_nobody_elses(counts, recs, split):
    recommender = Recommender.from_pretrained(counts)
    given = GivenLists.read(recs, recommender.item_ids, "recs")
    histories = split.test.histories
    found, wanted = given.recommend(histories, 5), recommender.recommend(histories, 5)
    np.testing.assert_array_equal(found.items, wanted.items)
    assert given.require(histories) == 0
    other = Histories(histories.user_ids, histories.offsets, histories.items[::-1].copy())
    assert (given.recommend(other, 5).items[1:] == -1).all() or given.require(other, allow_lost=1.0) > 0
    with pytest.raises(ConfigError, match="hold 20 items"):
        given.recommend(histories, 21)
    with pytest.raises(ConfigError, match="exclude_seen=True"):
        given.recommend(histories, 5, exclude_seen=False)
    with pytest.raises(ConfigError, match="no filters"):
        given.recommend(histories, 5, deny=["i001"])


def test_what_is_missing_is_said(counts, recs, tables, split, tmp_path):
    item_ids = Recommender.from_pretrained(counts).item_ids
    unfinished = tmp_path / "unfinished"
    shutil.copytree(recs, unfinished)
    (unfinished / "part-00001.parquet").unlink()
    assert "A shard is missing" in evaluate(counts, unfinished, tables[1], "--out", tmp_path / "o").output
    manifest = json.loads((unfinished / "generate.json").read_text())
    (unfinished / "generate.json").write_text(json.dumps(manifest | {"complete": False}))
    with pytest.raises(ArtifactError, match=r"1 of 4 shards missing: part-00001\.parquet"):
        GivenLists.read(unfinished, item_ids, "recs")
    changed = tmp_path / "changed"
    shutil.copytree(recs, changed)
    (changed / "part-00000.parquet").write_bytes((recs / "part-00001.parquet").read_bytes())
    with pytest.raises(ArtifactError, match="changed or damaged"):
        GivenLists.read(changed, item_ids, "recs")
    with pytest.raises(DataError, match=r"hold \d+ items that the catalogue does not have"):
        GivenLists.read(recs, np.array(["i000", "x"], dtype=object), "recs")


def test_lists_for_other_histories_are_refused_with_users(counts, tables, split, tmp_path):
    """Made from all interactions: what was held out is in the histories, so no list can hold it."""
    run_sharded(JobSettings(str(counts), k=K), tables[1], tmp_path / "all", shard_users=40)
    made = evaluate(counts, tmp_path / "all", tables[1], "--out", tmp_path / "report")
    assert made.exit_code == 1
    assert "a list for another history, such as 'u000'" in made.output
    assert "--hold-out 1" in made.output
    nothing = evaluate(counts, tmp_path / "all", tables[1], "--out", tmp_path / "report", "--allow-lost", 1)
    assert nothing.exit_code == 1
    assert "80 of 80 cases have no list of 'all'" in " ".join(nothing.output.split())
    assert "--allow-lost" not in nothing.output
    item_ids = Recommender.from_pretrained(counts).item_ids
    write_histories(split.test.histories.select(np.arange(70)), item_ids, tmp_path / "some.csv")
    run_sharded(JobSettings(str(counts), k=K), tmp_path / "some.csv", tmp_path / "some", shard_users=40)
    command = (counts, tmp_path / "some", tables[1], "--out", tmp_path / "report")
    assert "10 of 80 cases have no list of 'some'" in " ".join(evaluate(*command).output.split())
    made = evaluate(*command, "--allow-lost", 0.2)
    assert made.exit_code == 0, made.output
    assert "10 of 80 cases have no list" in made.output


def test_what_cannot_be_asked_of_lists(counts, recs, tables, tmp_path):
    out = ("--out", tmp_path / "report")
    assert "--k 1 --k 5 --k 10 --k 20" in evaluate(counts, recs, tables[1], "--k", 50, *out).output
    assert "Name the recommender that made them" in evaluate(recs, tables[1], *out).output
    assert "made with --exclude-seen" in evaluate(counts, recs, tables[1], "--include-seen", *out).output
    assert not (tmp_path / "report").exists()


def test_prints_depend_on_user_and_items_in_their_order():
    ids = np.array(["a", "b", "ab"], dtype=object)
    lists = [[0, 1], [1, 0], [2], [0, 1], []]
    histories = Histories.from_lists(lists, ["u", "u", "u", "v", "u"])
    prints = history_prints(histories, ids)
    assert len(set(prints.tolist())) == 5
    assert from_text(as_text(prints)).tolist() == sorted(prints.tolist())
    with pytest.raises(ValueError, match=r"padding|alphabet|base64|Only"):
        from_text("no base64!")


def edited(recs, folder, edit):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(recs, folder)
    content = json.loads((folder / "generate.json").read_text())
    edit(content)
    (folder / "generate.json").write_text(json.dumps(content))
    return folder


STRANGE = [None, "x", -1, 10**12, float("inf"), [], {}, [1], {"a": 1}]


PLACES = [
    *(("shards",), ("identity",), ("identity", "settings"), ("identity", "settings", "k")),
    *(("parts",), ("parts", 0), ("parts", 0, "file"), ("parts", 0, "sha256")),
    *(("users",), ("rows",), ("short",), ("left_out",)),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_manifest_that_somebody_edited_is_one_error(place, recs, counts, tmp_path):
    ids = Recommender.from_pretrained(counts).item_ids

    def put(content, value):
        for key in place[:-1]:
            content = content[key]
        content[place[-1]] = value

    for value in STRANGE:
        folder = edited(recs, tmp_path / "recs", lambda content, value=value: put(content, value))
        if value == 10**12 and place[-1] in ("users", "rows", "short"):  # only shown
            continue
        if value == {} and place[-1] == "left_out":  # nothing was
            continue
        if place[-1] == "k" and value == 10**12:  # longer than any list: as long as the catalogue
            assert GivenLists.read(folder, ids, "recs").k == len(ids)
            continue
        with pytest.raises(ArtifactError):
            GivenLists.read(folder, ids, "recs")


def test_a_shard_that_was_removed_from_a_finished_job_is_made_again(counts, split, tmp_path):
    """As the message about a missing shard says."""
    ids = Recommender.from_pretrained(counts).item_ids
    write_histories(split.test.histories, ids, tmp_path / "histories.csv")
    job = JobSettings(str(counts), k=K), tmp_path / "histories.csv", tmp_path / "recs"
    first = run_sharded(*job, shard_users=20)
    (tmp_path / "recs" / "part-00001.parquet").unlink()
    with pytest.raises(ArtifactError, match="missing") as error:
        GivenLists.read(tmp_path / "recs", ids, "recs")
    assert "again" in error.value.hint
    again = run_sharded(*job, shard_users=20)
    assert again["rows"] == first["rows"]
    assert [one["users"] for one in again["parts"]] == [one["users"] for one in first["parts"]]
    assert len(GivenLists.read(tmp_path / "recs", ids, "recs")._rows) == first["users"]
