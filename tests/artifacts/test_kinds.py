"""Whoever names a path of another kind is told what is there, and which path or command was meant."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrec.artifacts import atomic_dir, read_manifest, require_free, require_free_file, write_manifest
from genrec.artifacts.kinds import KINDS, kind_of, require_kind
from genrec.cli.main import app
from genrec.errors import ArtifactError

OLD = Path(__file__).resolve().parents[1] / "fixtures" / "artifacts-0.1"
INDEX, RECOMMENDER = ("index.json", "index"), ("recommender.json", "recommender")


@pytest.fixture
def places(tmp_path):
    """Paths of every kind, by name."""
    files = {
        "shards/generate.json": {},
        "model.training/run.json": {},
        "eval/metrics.json": [],
        "llm/config.json": {"model_type": "llama"},
        "foundation/recommender.json": {"kind": "foundation"},
        "baseline/recommender.json": {"kind": "baseline"},
        "generative/recommender.json": {"kind": "generative"},
        "generative/index/index.json": {},
        "demo/index/index.json": {},
        "demo/model/recommender.json": {},
        "index/index.json": {},
        "odd/recommender.json": ["not", "a", "mapping"],
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    (tmp_path / "items.csv").write_text("item_id\na\n")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("place", "wanted", "said", "hint"),
    [
        ("generative", INDEX, "it is a recommender", "Did you mean {}/index?"),
        ("baseline", INDEX, "it is a baseline, which has no index", "genrec index build"),
        (
            "foundation",
            INDEX,
            "it is a pretrained recommender",
            "genrec index build ITEMS --quantizer {} --out FOLDER.",
        ),
        ("index", RECOMMENDER, "it is a semantic index", "genrec train {} INTERACTIONS --out FOLDER."),
        ("demo", RECOMMENDER, "", "Did you mean {}/model?"),
        ("demo", INDEX, "", "Did you mean {}/index?"),
        ("model", RECOMMENDER, "training has not finished, see {}.training", "goes on with it"),
        ("model.training", RECOMMENDER, "a training that has not finished", "goes on with it"),
        ("shards", RECOMMENDER, "lists that genrec generate made", "Name the recommender that made them."),
        ("eval", RECOMMENDER, "the results of an evaluation", "report.html"),
        ("llm", RECOMMENDER, "a model of transformers", "--set model.checkpoint=FOLDER"),
        ("items.csv", INDEX, "it is a file", "Name a folder that genrec made."),
        ("no/such", INDEX, "nothing of this name exists", "Check the path."),
        ("empty", INDEX, "", "Name a folder that genrec made."),
        ("odd", INDEX, "it is a recommender", "Name a folder that genrec made."),
    ],
)
def test_the_message_says_what_is_there_and_what_was_meant(places, place, wanted, said, hint):
    folder = places / place
    with pytest.raises(ArtifactError) as caught:
        read_manifest(folder, *wanted)
    error = caught.value
    assert f"genrec {wanted[1]}" in error.what if not said else said.format(folder) in error.what
    assert error.where == folder
    assert hint.format(folder) in (error.hint or "")
    assert error.expected == f"a folder with {wanted[0]}"


HELD = {
    "generative": "recommender",
    "baseline": "baseline",
    "foundation": "pretrained",
    "index": "index",
    "shards": "shards",
    "eval": "results",
    "llm": "plain",
    "odd": "recommender",
    "empty": None,
    "demo": None,
}


@pytest.mark.parametrize("place", HELD)
def test_only_what_is_of_the_same_kind_is_replaced(places, place):
    assert kind_of(places / place) == HELD[place]
    for makes in KINDS:
        if HELD[place] in (None, makes):
            require_kind(places / place, makes)
            continue
        with pytest.raises(ArtifactError, match=f"The output folder holds {KINDS[HELD[place]]}") as caught:
            require_kind(places / place, makes)
        assert f"nothing, or {KINDS[makes]}" in caught.value.expected


def test_a_folder_of_another_kind_stays_also_where_nobody_asked_first(tmp_path):
    with atomic_dir(tmp_path / "thing") as work:
        write_manifest(work, "recommender.json", {"kind": "generative"})
    with (
        pytest.raises(ArtifactError, match="holds a recommender"),
        atomic_dir(tmp_path / "thing", overwrite=True) as work,
    ):
        write_manifest(work, "index.json", {})
    assert [path.name for path in (tmp_path / "thing").iterdir()] == ["recommender.json"]
    with atomic_dir(tmp_path / "thing", overwrite=True) as work:
        write_manifest(work, "recommender.json", {"kind": "generative", "new": True})
    assert json.loads((tmp_path / "thing" / "recommender.json").read_text())["new"]


REPLACING = {
    "index build": ["index", "build", "items.csv"],
    "index add": ["index", "add", "index-text", "items.csv"],
    "index import": ["index", "import", "codes.csv", "items.csv"],
    "train": ["train", "index-text", "log.csv"],
    "baseline": ["baseline", "popularity", "items.csv", "log.csv"],
    "evaluate": ["evaluate", "item-decoder", "log.csv"],
    "audit": ["audit", "items.csv", "log.csv"],
}


@pytest.mark.parametrize("case", REPLACING)
def test_no_command_replaces_something_of_another_kind(case, tmp_path, monkeypatch):
    for name in ("item-decoder", "index-text"):
        (tmp_path / name).symlink_to(OLD / name)
    held = tmp_path / "held"
    with atomic_dir(held) as work:
        write_manifest(work, "trie.json", {})
    for name, text in (("items.csv", "item_id,title\na,cup\n"), ("log.csv", "user_id,item_id,timestamp\nu,a,1\n")):
        (tmp_path / name).write_text(text)
    (tmp_path / "codes.csv").write_text("item_id,codes\na,1\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*REPLACING[case], "--out", "held", "--overwrite"])
    assert done.exit_code == 1, done.output
    assert "The output folder holds a saved trie." in " ".join(done.output.split())
    assert (held / "trie.json").is_file()


def test_an_error_names_the_argument_of_python_too(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").write_text("mine")
    for refuses in (lambda: require_free(tmp_path / "there"), lambda: require_free_file(tmp_path / "there" / "a.txt")):
        with pytest.raises(ArtifactError, match=r"--overwrite \(overwrite=True in Python\)"):
            refuses()


CALLS = {
    "index show": (["index", "show", "item-decoder"], "Did you mean", "item-decoder/index?"),
    "index add": (["index", "add", "item-decoder", "items.csv"], "Did you mean", "item-decoder/index?"),
    "index export": (["index", "export", "item-decoder", "--out", "codes.csv"], "Did you mean", "item-decoder/index?"),
    "index diff": (["index", "diff", "item-decoder", "index-text"], "Did you mean", "item-decoder/index?"),
    "train": (["train", "item-decoder", "log.csv", "--out", "out"], "Did you mean", "item-decoder/index?"),
    "generate": (["generate", "index-text", "log.csv", "--out", "recs.csv"], "it is a semantic index", "genrec train"),
    "evaluate": (["evaluate", "index-text", "log.csv", "--out", "out"], "it is a semantic index", "genrec train"),
    "serve": (["serve", "index-text"], "it is a semantic index", "genrec train"),
    "page": (["page", "index-text", "log.csv", "--out", "p.html"], "it is a semantic index", "genrec train"),
    "concepts": (["concepts", "index-text", "log.csv", "--out", "c.json"], "it is a semantic index", "genrec train"),
    "train --init": (
        ["train", "index-text", "log.csv", "--out", "out", "--init", "index-text"],
        "it is a semantic index",
        "genrec train",
    ),
    "an unfinished training": (["generate", "model", "log.csv", "--out", "r.csv"], "has not finished", "goes on"),
}


@pytest.mark.parametrize("case", CALLS)
def test_every_command_says_it(case, tmp_path, monkeypatch):
    for name in ("item-decoder", "index-text"):
        (tmp_path / name).symlink_to(OLD / name)
    (tmp_path / "model.training").mkdir()
    (tmp_path / "model.training" / "run.json").write_text("{}")
    (tmp_path / "items.csv").write_text("item_id,title\nnew,red cup\n")
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu,i000,1\n")
    monkeypatch.chdir(tmp_path)
    call, *said = CALLS[case]
    done = CliRunner().invoke(app, call)
    words = " ".join(done.output.split())
    assert done.exit_code == 1, done.output
    assert all(one in words for one in said), words
    assert not (tmp_path / "out").exists()
