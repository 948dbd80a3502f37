"""Commands that are told to stop, that cannot write, or that run at the same time as others."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from support import TINY_TOKENIZER, TINY_TRAINING
from typer.testing import CliRunner

from genrec.artifacts import files, folders
from genrec.cli.main import app
from genrec.data import Catalog, Interactions
from genrec.index.semantic_index import SemanticIndex

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def genrec(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


def refused(*arguments, code=1):
    result = run(*arguments)
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    assert result.output.count("Error:") == (code == 1), result.output
    return result.output


def settings(overrides):
    return [part for override in overrides for part in ("--set", override)]


@pytest.fixture(scope="module")
def index(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--out", folder / "index")
    return folder / "index"


def commands(tables, index, model, out):
    """A command of every verb that makes a folder or a table, quick enough to be tried in many ways."""
    items, interactions = tables
    return {
        "index build": ("index", "build", items, *settings(TINY_TOKENIZER), "--out", out),
        "index add": ("index", "add", index, out.parent / "new.csv", "--out", out),
        "baseline": ("baseline", "popularity", items, interactions, "--out", out),
        "evaluate": ("evaluate", model, interactions, "--users", 5, "--baseline", "popularity", "--out", out),
        "audit": ("audit", items, interactions, "--vectors", "none", "--out", out),
        "generate": ("generate", model, interactions, "--out", out.with_suffix(".parquet")),
        "train": ("train", index, interactions, *settings(TINY_TRAINING), "--out", out),
        "shards": ("generate", model, interactions, "--shard-users", 40, "--out", out),
    }


VERBS = ["index build", "index add", "baseline", "evaluate", "audit", "generate", "train"]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "new.csv").write_text("item_id,title\nn1,green cup\n")
    return tmp_path


def left(place):
    return sorted(path.name for path in place.iterdir() if path.name != "new.csv")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "generate"])
def test_a_command_that_is_told_to_stop_says_so_and_leaves_nothing(
    verb, number, tables, index, trained, place, monkeypatch
):
    monkeypatch.setattr(folders, "mark", lambda folder: os.kill(os.getpid(), number))
    before = signal.getsignal(signal.SIGTERM)
    text = refused(*commands(tables, index, trained[1], place / "out")[verb], code=128 + number)
    assert "Stopped. Nothing was half-written" in text
    assert left(place) == (["out.training"] if verb == "train" else [])
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored(tables, place, monkeypatch):
    """As under nohup or a shell's trap."""
    monkeypatch.setattr(folders, "mark", lambda folder: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--out", place / "out")
    finally:
        signal.signal(signal.SIGTERM, before)


def test_training_that_is_terminated_keeps_a_checkpoint_and_goes_on(tables, index, place, monkeypatch):
    from genrec.cli.reporter import Reporter

    command = commands(tables, index, None, place / "out")["train"]
    with monkeypatch.context() as patched:
        real = Reporter.on_step_end

        def step(self, args, state, control, **rest):
            if state.global_step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return real(self, args, state, control, **rest)

        patched.setattr(Reporter, "on_step_end", step)
        text = refused(*command, code=143)
    assert "Training stopped at step 2" in text
    assert left(place) == ["out.training"]
    assert "Continuing at step 2" in genrec(*command)
    assert left(place) == ["out"]
    logged = [list(entry) for entry in json.loads((place / "out" / "metrics.json").read_text())["log"]]
    assert logged == [sorted(keys) for keys in logged]  # those from a checkpoint as those of this session


@pytest.mark.parametrize("verb", [*VERBS, "shards"])
def test_an_output_that_cannot_be_written_is_found_before_any_work(verb, tables, index, trained, place, monkeypatch):
    def work(*arguments, **options):
        raise RuntimeError("A table or an artefact is being read.")

    for owner, name in ((Catalog, "read"), (Interactions, "read"), (SemanticIndex, "load")):
        monkeypatch.setattr(owner, name, work)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    (place / "file").write_text("x")
    for out in (place / "file" / "out", Path("/proc/genrec/out")):
        text = refused(*commands(tables, index, trained[1], out)[verb])
        assert "cannot be written" in text
        assert str(out.parent) in text.replace("\n", "")
    command = commands(tables, index, trained[1], place / "deep" / "out")[verb]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        assert "cannot be written: File too large" in refused(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(place) == ["file"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_disk_that_is_full_later_is_one_message(verb, tables, index, trained, place, monkeypatch):
    monkeypatch.setattr(files, "_PROBE", 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        text = refused(*commands(tables, index, trained[1], place / "out")[verb])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "written" in text
    assert left(place) in ([], ["out.training"] if verb == "train" else [])


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("generate", "train")])
def test_folders_that_genrec_did_not_make_are_never_replaced(verb, tables, index, trained, place):
    (place / "out").mkdir()
    (place / "out" / "photo.jpg").write_text("x")
    command = commands(tables, index, trained[1], place / "out")[verb]
    assert "already exists" in refused(*command)
    if verb != "index add":
        assert "did not make: photo.jpg" in refused(*command, "--overwrite")
    assert os.listdir(place / "out") == ["photo.jpg"]


def test_training_replaces_neither_a_folder_nor_a_working_folder_of_others(tables, index, place):
    command = commands(tables, index, None, place / "out")["train"]
    (place / "out.training").mkdir()
    (place / "out.training" / "thesis.tex").write_text("x")
    for more in ((), ("--overwrite",)):
        assert "is not of a run: thesis.tex" in refused(*command, *more)
    (place / "out.training" / "thesis.tex").rename(place / "out.training" / ".run.json.0123456789abcdef.tmp")
    (place / "out").mkdir()
    (place / "out" / "photo.jpg").write_text("x")
    assert "did not make: photo.jpg" in refused(*command, "--overwrite")
    assert os.listdir(place / "out") == ["photo.jpg"]


def test_an_existing_table_is_named_as_such(tables, trained, place):
    command = ("generate", trained[1], tables[1], "--k", 3, "--out", place / "recs.csv")
    (place / "recs.csv").write_text("mine")
    text = refused(*command)
    assert "output file already exists" in text
    assert "--overwrite" in text
    genrec(*command, "--overwrite")
    assert pl.read_csv(place / "recs.csv").columns[:3] == ["user_id", "rank", "item_id"]
    (place / "folder.csv").mkdir()
    assert "is a folder" in refused(*command[:-1], place / "folder.csv", "--overwrite")


def test_an_output_inside_an_artefact_is_refused(tables, index, trained, place):
    text = refused("generate", trained[1], tables[1], "--out", trained[1] / "recs.csv")
    assert "inside an artefact" in text
    assert "inside an artefact" in refused(*commands(tables, index, None, trained[1] / "deep" / "x")["baseline"])
    SemanticIndex.load(trained[1] / "index")
    assert not list(trained[1].glob(".*"))


def test_the_same_output_at_the_same_time_is_refused(tables, index, trained, place):
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys\nfrom genrec.artifacts import output_lock\n"
         "with output_lock(sys.argv[1]):\n    print(flush=True)\n    sys.stdin.readline()", str(place / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    holder.stdout.readline()
    for verb in ("index build", "train", "baseline", "shards"):
        text = refused(*commands(tables, index, trained[1], place / "out")[verb])
        assert f"process {holder.pid}" in text
    holder.communicate("\n")


def test_items_that_are_added_at_the_same_time_are_all_there(tables, place):
    genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--out", place / "index")
    running = []
    for name in "ab":
        (place / f"{name}.csv").write_text("item_id,title\n" + "".join(f"{name}{n},cup {n}\n" for n in range(5)))
        arguments = ["index", "add", str(place / "index"), str(place / f"{name}.csv")]
        code = "from genrec.cli.main import main; main()"
        running.append(subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE))
    for process in running:
        process.communicate()
        assert process.returncode == 0
    grown = SemanticIndex.load(place / "index")
    assert set(grown.item_ids[60:]) == {f"{name}{n}" for name in "ab" for n in range(5)}
    again = grown.tokenizer.encoder.encode(grown.catalog)  # vectors stand under their own ids
    assert abs(again - grown.vectors()).max() < 1e-5
    assert len(grown.lineage) == 3


def test_adding_a_table_again_changes_nothing(tables, place):
    genrec("index", "build", tables[0], *settings(TINY_TOKENIZER), "--out", place / "index")
    add = ("index", "add", place / "index", place / "new.csv")
    genrec(*add)
    before = (place / "index" / "index.json").read_bytes()
    (place / ".index.tmp-0123456789abcdef").mkdir()  # of a process that was killed
    assert "nothing to add" in genrec(*add)
    assert left(place) == ["index"]
    assert (place / "index" / "index.json").read_bytes() == before
    (place / "new.csv").write_text("item_id,title\nn1,green cup\nn2,tea\n")
    assert "1 item is in the index already" in genrec(*add)
    assert SemanticIndex.load(place / "index").item_ids.tolist()[60:] == ["n1", "n2"]
    (place / "new.csv").write_text("item_id,title\nn1,another cup\n")
    assert "with other fields, such as 'n1'" in refused(*add)


def test_a_comparison_with_a_failed_recipe_ends_in_an_error(tables, place):
    (place / "broken.yaml").write_text("encoder: {name: precomputed, path: nowhere.npy}\n")
    recipes = ("--tokenizer", "random-3x256", "--tokenizer", place / "broken.yaml")
    text = refused("index", "compare", tables[0], *recipes, "--out", place / "out")
    assert "1 of 2 recipes failed: broken" in text
    assert sorted(os.listdir(place / "out")) == ["comparison.json", "comparison.md"]


@pytest.mark.parametrize(
    "name", ["../escaped", "/tmp/escaped", "..", ".", "a/b", ".hidden", "a\\b", "x" * 101, "con\n"]
)
def test_a_recipe_cannot_name_a_folder_outside(tables, place, name):
    (place / "hostile.yaml").write_text(f"name: {name!r}\nquantizer: {{name: random}}\n")
    text = refused("index", "compare", tables[0], "--tokenizer", place / "hostile.yaml", "--keep", "--out", place / "o")
    assert "cannot be that of a folder" in text
    assert left(place) == ["hostile.yaml"]


def test_kept_indexes_replace_only_indexes(tables, place):
    (place / "out" / "random-3x256").mkdir(parents=True)
    (place / "out" / "random-3x256" / "photo.jpg").write_text("x")
    command = ("index", "compare", tables[0], "--tokenizer", "random-3x256", "--keep", "--out", place / "out")
    assert "did not make: photo.jpg" in refused(*command, "--overwrite")
    (place / "out" / "random-3x256" / "photo.jpg").unlink()
    for _ in range(2):
        genrec(*command, "--overwrite")
    assert len(SemanticIndex.load(place / "out" / "random-3x256")) == 60


def test_every_command_finds_a_folder_that_a_killed_process_had_taken_away(tables, index, trained, place):
    """Killed between the two renames: the old folder stands beside its place, under a hidden name."""
    model = place / "model"

    def copy(folder, name):
        shutil.copytree(folder, place / f".{name}.old-0123456789abcdef")

    genrec("baseline", "popularity", *tables, "--out", place / "counts")
    counts = place / "counts"
    commands = [
        (trained[1], ("generate", model, tables[1], "--k", 3, "--out", place / "recs.csv")),
        (counts, ("generate", model, tables[1], "--k", 3, "--out", place / "other.csv")),
        (counts, ("generate", model, tables[1], "--shard-users", 40, "--out", place / "recs")),
        (counts, ("evaluate", model, tables[1], "--users", 5, "--baseline", "popularity", "--out", place / "report")),
        (counts, ("data", "check", model, tables[1])),
        (index, ("index", "show", place / "index", "--item", "i001")),
        (index, ("index", "build", tables[0], "--quantizer", place / "index", "--out", place / "again")),
    ]
    for source, command in commands:
        copy(source, "index" if source is index else "model")
        genrec(*command)
        assert not list(place.glob(".*")), command
        shutil.rmtree(place / "index" if source is index else model)
