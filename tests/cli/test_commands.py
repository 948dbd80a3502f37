"""The command line as a new user meets it: the whole job, and every wrong input with one clear message."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import TINY_TOKENIZER, TINY_TRAINING
from typer.testing import CliRunner

from genrec.cli.main import app

ROOT = Path(__file__).resolve().parents[2]


def settings(overrides):
    return [part for override in overrides for part in ("--set", override)]


def genrec(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, f"{result.output}\n{result.stderr}\n{result.exception!r}"
    return result.output


def refused(*arguments):
    text = genrec(*arguments, code=1)
    assert text.count("Error:") == 1, text
    assert "Traceback" not in text
    return text


@pytest.fixture(scope="module")
def built(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--out", folder / "index")
    genrec("train", folder / "index", tables[1], *settings(TINY_TRAINING), "--out", folder / "model")
    return folder


def test_the_whole_job_and_what_it_says_at_the_end(built, tables, tmp_path):
    items, interactions = tables
    assert "60 items" in genrec("data", "check", items, interactions)
    assert "Semantic index of 60 items" in genrec("index", "show", built / "index")
    assert "i003" in genrec("index", "show", built / "index", "--item", "i003")
    code = json.loads(genrec("data", "check", items, interactions, "--json"))["items"]["items"]
    assert code == 60
    out = genrec("evaluate", built / "model", interactions, "--out", tmp_path / "eval")
    for name in ("generative", "popularity", "repeat-last", "transition-counts"):
        assert name in out
    rows = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert {row["recommender"] for row in rows} == {"generative", "popularity", "repeat-last", "transition-counts"}
    assert all(0 <= row["recall@10"] <= 1 and row["valid"] in (1.0, None) for row in rows)
    out = genrec("generate", built / "model", interactions, "--k", 4, "--out", tmp_path / "recs.parquet")
    assert "80 in" in out
    table = pl.read_parquet(tmp_path / "recs.parquet")
    assert table.columns == ["user_id", "rank", "item_id", "score", "title"]
    assert table.group_by("user_id").len()["len"].unique().to_list() == [4]


def test_the_same_training_command_again_has_nothing_to_do(built, tables):
    before = (built / "model" / "recommender.json").stat().st_mtime_ns
    genrec("train", built / "index", tables[1], *settings(TINY_TRAINING), "--out", built / "model")
    assert (built / "model" / "recommender.json").stat().st_mtime_ns == before


def test_other_settings_for_a_finished_folder_are_refused_by_name(built, tables):
    text = refused(
        "train", built / "index", tables[1], *settings(TINY_TRAINING), "--set", "seed=5", "--out", built / "model"
    )
    assert "settings.seed: 0 → 5" in text


def test_grown_indexes_recommend_new_items_without_retraining(built, tables, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("item_id,title\nnew1,green cup 9\nnew2,red rope 9\n")
    genrec("index", "add", built / "index", new, "--out", tmp_path / "grown")
    genrec("generate", built / "model", tables[1], "--index", tmp_path / "grown", "--k", 62, "--include-seen",
           "--out", tmp_path / "recs.csv")  # fmt: skip
    ids = set(pl.read_csv(tmp_path / "recs.csv")["item_id"])
    assert {"new1", "new2"} <= ids
    text = refused(
        "generate", built / "model", tables[1], "--index", _another_index(tables, tmp_path), "--out", tmp_path / "x.csv"
    )
    assert "trained on another index" in text
    assert not (tmp_path / "x.csv").exists()


def _another_index(tables, tmp_path):
    genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--set", "seed=9", "--out", tmp_path / "other")
    return tmp_path / "other"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"item_id,title\n", "no rows"),
        (b"\x00\x01\x02PNG\xff\xfe" * 50, "binary"),
        (b"sku,title\na,cup\n", "item_id"),
        (b"item_id,title\na,caf\xe9\n", "UTF-8"),
    ],
    ids=["empty", "header-only", "binary", "missing-column", "latin-1"],
)
def test_unusable_item_tables_give_one_message(content, expected, tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes(content)
    text = refused("index", "build", path, "--out", tmp_path / "index")
    assert expected.lower() in text.lower()
    assert str(path) in text.replace("\n", "")
    assert not (tmp_path / "index").exists()


def test_a_missing_interactions_column_names_those_that_are_there(built, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("customer,item_id,timestamp\nu,i001,5\n")
    text = refused("train", built / "index", path, "--out", tmp_path / "model")
    assert "user_id" in text
    assert "customer" in text


def test_broken_rows_are_handled_by_rule_and_counted(tmp_path):
    items, log = tmp_path / "items.csv", tmp_path / "log.csv"
    items.write_text("item_id,title\na,cup\na,cup\nb,\nc,tea\n")
    log.write_text("user_id,item_id,timestamp\nu,a,1\nu,b,NaN\nu,c,3\nu,c,3\nu,zzz,4\nv,a,x,extra\n")
    assert "2 of 6 rows (33%) would be lost" in refused("data", "check", items, log)
    out = genrec("data", "check", items, log, "--allow-lost", 0.4)
    for kind in ("duplicate-items", "items-without-text", "unreadable-timestamps", "duplicate-rows", "unknown-items"):
        assert kind in out
    assert "broken-rows" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tokenizer", "rq-kmean-3x256"], "Did you mean 'rq-kmeans-3x256'"),
        (["--set", "quantizer.codebok_size=8"], "Did you mean 'codebook_size'"),
        (["--set", "quantizer.levels=three"], "quantizer"),
    ],
)
def test_wrong_recipes_name_what_is_near(arguments, expected, tables, tmp_path):
    assert expected in refused("index", "build", tables[0], *arguments, "--out", tmp_path / "index")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config", "item-decoder-smal"], "Did you mean 'item-decoder-small'"),
        (["--set", "model.dropuot=0.1"], "Did you mean 'dropout'"),
        (["--set", "model.architecture=decodr"], "Did you mean 'decoder'"),
        (["--set", "trainer.learning_rat=0.1"], "learning_rat"),
        (["--set", "split.name=leave-two-out"], "leave-one-out"),
    ],
)
def test_wrong_training_settings_name_what_is_near(arguments, expected, built, tables, tmp_path):
    assert expected in refused("train", built / "index", tables[1], *arguments, "--out", tmp_path / "model")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_output_folders_that_hold_something_are_left_alone(built, tables, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    for arguments in (
        ["index", "build", tables[0], "--out", tmp_path / "thesis"],
        ["train", built / "index", tables[1], "--out", tmp_path / "thesis"],
        ["evaluate", built / "model", tables[1], "--out", tmp_path / "thesis"],
    ):
        assert "already exists" in refused(*arguments)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_damaged_and_missing_artefacts_are_named(built, tables, tmp_path):
    import shutil

    shutil.copytree(built / "model", tmp_path / "model")
    weights = tmp_path / "model" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    text = refused("generate", tmp_path / "model", tables[1], "--out", tmp_path / "recs.csv")
    assert "changed or damaged" in text
    assert "not a genrec recommender" in refused(
        "generate", tmp_path / "nothing", tables[1], "--out", tmp_path / "r.csv"
    )
    assert "not a genrec index" in refused("index", "show", tmp_path / "nothing")


def test_a_killed_index_build_leaves_nothing_and_the_next_one_works(tables, tmp_path, monkeypatch):
    from genrec.index.semantic_index import SemanticIndex

    def interrupted(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(SemanticIndex, "files", interrupted)
        result = CliRunner().invoke(
            app, ["index", "build", str(tables[0]), *settings(TINY_TOKENIZER), "--out", str(tmp_path / "index")]
        )
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".index.tmp-999999999-left").mkdir()  # what SIGKILL would leave behind
    genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--out", tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


KILLED = """
import os, signal
from genrec.cli.main import main
from genrec.cli.reporter import Reporter

def step(self, args, state, control, **rest):
    if state.global_step == 7:  # two steps after the first checkpoint
        os.kill(os.getpid(), signal.SIGKILL)

Reporter.on_step_end = step
main()
"""


def test_killed_training_continues_to_the_same_result(built, tables, tmp_path):
    command = ["train", built / "index", tables[1], *settings(TINY_TRAINING), "--set", "trainer.num_train_epochs=4",
               "--set", "validation.patience=4"]  # fmt: skip
    arguments = [str(argument) for argument in [*command, "--out", tmp_path / "model"]]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert list((tmp_path / "model.training" / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    assert not (tmp_path / "model").exists()
    assert "Continuing at step 5" in genrec(*arguments)
    genrec(*command, "--out", tmp_path / "whole")
    from safetensors.numpy import load_file

    resumed, whole = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("model", "whole"))
    for name in whole:
        np.testing.assert_array_equal(resumed[name], whole[name], err_msg=name)
