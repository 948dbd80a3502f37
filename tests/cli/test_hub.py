"""Names of the hub on the command line: fetched where a folder is expected, in a revision, and never for a path."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.cli.serve import _named
from genrec.errors import ConfigError


def run(*words, code=0):
    """Output of a command; a traceback never."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    text = result.output + result.stderr
    assert result.exit_code == code, f"{text}\n{result.exception!r}"
    assert "Traceback" not in text
    return text


@pytest.fixture
def shop(hub, trained):
    """Two revisions of a repository; only ``v2`` can be loaded."""
    trained[0].push_to_hub("ann/shop", revision="v2")
    return hub


def test_lists_are_those_of_the_folder(shop, trained, tables, tmp_path):
    run("generate", "ann/shop", tables[1], "--revision", "v2", "--k", 3, "--out", tmp_path / "a.csv")
    run("generate", trained[1], tables[1], "--k", 3, "--out", tmp_path / "b.csv")
    assert pl.read_csv(tmp_path / "a.csv").drop("score").equals(pl.read_csv(tmp_path / "b.csv").drop("score"))
    run(
        *("generate", "ann/shop", tables[1], "--revision", "v2", "--k", 3),
        *("--shard-users", 50, "--out", tmp_path / "shards"),
    )
    assert json.loads((tmp_path / "shards" / "generate.json").read_text())["users"] > 0


def test_a_report_calls_recommenders_by_their_names(shop, trained, tables, tmp_path):
    words = ("--revision", "v2", "--users", 20, "--baseline", "popularity", "--out", tmp_path / "eval")
    run("evaluate", "ann/shop", trained[1], tables[1], *words)
    text = (tmp_path / "eval" / "metrics.md").read_text()
    assert "| shop |" in text
    assert "| model |" in text


def test_indexes_have_names_too(hub, tiny_index, tmp_path):
    tiny_index.push_to_hub("ann/codes")
    run("index", "export", "ann/codes", "--revision", "main", "--out", tmp_path / "codes.json")
    assert len(json.loads((tmp_path / "codes.json").read_text())) == len(tiny_index)
    assert "items" in run("index", "show", "ann/codes")


def test_served_ones_have_the_name_of_their_repository(shop, trained, tmp_path):
    (tmp_path / "other").mkdir()
    folders = _named(["ann/shop", f"here={tmp_path / 'other'}"], "v2")
    assert list(folders) == ["shop", "here"]
    assert (folders["shop"] / "recommender.json").is_file()
    assert _named(["mine=ann/shop"], "v2")["mine"] == folders["shop"]
    with pytest.raises(ConfigError, match="Only repositories of the hub have revisions"):
        _named([str(trained[1])], "v2")


def test_trouble_is_one_message(shop, trained, tables, tmp_path):
    out = tmp_path / "a.csv"
    assert "no revision 'v3'" in run("generate", "ann/shop", tables[1], "--revision", "v3", "--out", out, code=1)
    assert "no recommender 'ann/none'" in run("generate", "ann/none", tables[1], "--out", out, code=1)
    calls = len(shop.calls)
    text = run("generate", trained[1], tables[1], "--revision", "v2", "--out", out, code=1)
    assert "Only repositories of the hub have revisions" in text
    assert "not a genrec recommender" in run("generate", "./ann/shop", tables[1], "--out", out, code=1)
    assert len(shop.calls) == calls
    assert not out.exists()
