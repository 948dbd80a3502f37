"""A wrong path, name or setting is answered before anything heavy is imported, whatever the command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "tests" / "fixtures" / "artifacts-0.1"
HEAVY = ("torch", "transformers", "sklearn", "sentence_transformers", "peft", "accelerate")
SLOW = ("scipy", "numba")
"""What takes a good part of a second and is not needed to say that a path or a preset is not there."""
TABLES = ("numpy", "polars")
"""What is not even needed to say that a folder is not there."""
CODE = f"""
import json, sys
from typer.testing import CliRunner
from genrec.cli.main import app
answers = []
for arguments in json.load(sys.stdin):
    result = CliRunner().invoke(app, arguments)
    answers.append([result.exit_code, result.output, [name for name in {HEAVY + SLOW + TABLES} if name in sys.modules]])
json.dump(answers, sys.stdout)
"""
INDEX, MODEL, COUNTS = (str(OLD / name) for name in ("index-text", "item-decoder", "baseline-popularity"))
DOMAIN = ("--domain", "a=LOG,LOG")
WRONG = {
    "train, index": (["train", "nowhere", "LOG", "--out", "o"], "not a genrec index"),
    "train, table": (["train", INDEX, "nowhere.csv", "--out", "o"], "does not exist"),
    "train, preset": (["train", INDEX, "LOG", "--config", "no-such", "--out", "o"], "Unknown training preset"),
    "train, setting": (["train", INDEX, "LOG", "--set", "modl.dropout=0", "--out", "o"], "'model'"),
    "train, value": (["train", INDEX, "LOG", "--set", "model.dropout=7", "--out", "o"], "less than 1"),
    "train, seed": (["train", INDEX, "LOG", "--set", "seed=-1", "--out", "o"], "greater than or equal to 0"),
    "train, network": (["train", INDEX, "LOG", "--set", "model.architecture=decodr", "--out", "o"], "'decoder'"),
    "train, objective": (["train", INDEX, "LOG", "--set", "objective.name=likely", "--out", "o"], "likelihood"),
    "train, task": (["train", INDEX, "LOG", "--set", "tasks=[{prompt: next-itm}]", "--out", "o"], "'next-item'"),
    "train, init": (["train", INDEX, "LOG", "--init", "nowhere", "--out", "o"], "not a genrec recommender"),
    "train, a baseline": (["train", INDEX, "LOG", "--init", COUNTS, "--out", "o"], "of the kind 'baseline'"),
    "train, out": (["train", INDEX, "LOG", "--out", "."], "already exists"),
    "pretrain, preset": (["pretrain", "--config", "no-such", "--out", "o"], "Unknown training preset"),
    "pretrain, nothing": (["pretrain", "--out", "o"], "at least one domain"),
    "pretrain, table": (["pretrain", "--domain", "a=nowhere.csv,LOG", "--out", "o"], "does not exist"),
    "pretrain, recipe": (["pretrain", *DOMAIN, "--set", "tokenizer=no-such", "--out", "o"], "Unknown tokenizer"),
    "generate, model": (["generate", "nowhere", "LOG", "--out", "o.csv"], "not a genrec recommender"),
    "generate, an index": (["generate", INDEX, "LOG", "--out", "o.csv"], "not a genrec recommender"),
    "generate, table": (["generate", MODEL, "nowhere.csv", "--out", "o.csv"], "does not exist"),
    "generate, kind": (["generate", MODEL, "LOG", "--out", "o.xyz"], "kind of table"),
    "generate, setting": (["generate", MODEL, "LOG", "--set", "beems=3", "--out", "o.csv"], "'beams'"),
    "generate, value": (["generate", MODEL, "LOG", "--set", "beams=0", "--out", "o.csv"], "greater than"),
    "generate, list": (["generate", MODEL, "LOG", "--allow", "nowhere.csv", "--out", "o.csv"], "does not exist"),
    "generate, index": (["generate", MODEL, "LOG", "--index", "nowhere", "--out", "o.csv"], "not a genrec index"),
    "generate, baseline": (["generate", COUNTS, "LOG", "--beams", "3", "--out", "o.csv"], "has no --beams"),
    "evaluate, model": (["evaluate", "nowhere", "LOG", "--out", "o"], "not a genrec recommender"),
    "evaluate, table": (["evaluate", MODEL, "nowhere.csv", "--out", "o"], "does not exist"),
    "evaluate, baseline": (["evaluate", MODEL, "LOG", "--baseline", "popularty", "--out", "o"], "'popularity'"),
    "evaluate, setting": (["evaluate", MODEL, "LOG", "--set", "beems=3", "--out", "o"], "'beams'"),
    "baseline, name": (["baseline", "popularty", "ITEMS", "LOG", "--out", "o"], "'popularity'"),
    "baseline, table": (["baseline", "sasrec", "nowhere.csv", "LOG", "--out", "o"], "does not exist"),
    "baseline, setting": (["baseline", "sasrec", "ITEMS", "LOG", "--set", "dimm=3", "--out", "o"], "'dim'"),
    "index build, table": (["index", "build", "nowhere.csv", "--out", "o"], "does not exist"),
    "index build, recipe": (["index", "build", "ITEMS", "--tokenizer", "no-such", "--out", "o"], "Unknown"),
    "index build, setting": (
        ["index", "build", "ITEMS", "--set", "quantizer.levls=2", "--out", "o"],
        "'levels'",
    ),
    "index build, quantizer": (["index", "build", "ITEMS", "--quantizer", "nowhere", "--out", "o"], "no fitted"),
    "index show": (["index", "show", "nowhere"], "not a genrec index"),
    "index export": (["index", "export", "nowhere", "--out", "o.json"], "not a genrec index"),
    "index import": (["index", "import", "nowhere.json", "ITEMS", "--out", "o"], "does not exist"),
    "index add": (["index", "add", "nowhere", "ITEMS", "--out", "o"], "not a genrec index"),
    "audit": (["audit", "nowhere.csv", "LOG"], "does not exist"),
    "page": (["page", "nowhere", "--out", "o.html"], "not a genrec recommender"),
    "serve": (["serve", "nowhere"], "not a genrec recommender"),
    "config": (["config", "show", "no-such"], "Unknown preset"),
    "concepts, model": (["concepts", "nowhere", "LOG", "--out", "o.json"], "not a genrec recommender"),
    "concepts, table": (["concepts", MODEL, "nowhere.csv", "--out", "o.json"], "does not exist"),
    "data check": (["data", "check", "nowhere.csv"], "does not exist"),
    "data cases": (["data", "cases", "nowhere.csv", "--train", "no.csv", "--out", "OUT"], "does not exist"),
}


FOLDERS = ("train, index", "generate, model", "page", "serve", "concepts, model")


def missing(case):
    """Whether a path, a preset or a recipe is not there."""
    return any(word.startswith(("nowhere", "no-such", "a=nowhere")) for word in WRONG[case][0])


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """All wrong commands in one process: exit code, output, and what had been imported by then."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "items.csv").write_text("item_id,title\ni000,cup\n")
    (folder / "log.csv").write_text("user_id,item_id,timestamp\nu,i000,1\n")
    places = {"LOG": str(folder / "log.csv"), "ITEMS": str(folder / "items.csv")}
    # imports stay, so the quickest come first
    ordered = sorted(WRONG, key=lambda case: (case not in FOLDERS, not missing(case)))
    asked = [
        [part.replace("LOG", places["LOG"]) if "=" in part else places.get(part, part) for part in arguments]
        for arguments, _ in map(WRONG.get, ordered)
    ]
    done = subprocess.run(
        [sys.executable, "-c", CODE], input=json.dumps(asked), capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["items.csv", "log.csv"]  # nothing half-written
    return dict(zip(ordered, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", WRONG)
def test_a_slip_is_answered_at_once(answers, case):
    code, output, heavy = answers[case]
    assert code == 1, output
    assert WRONG[case][1] in output
    assert "Traceback" not in output
    allowed = () if case in FOLDERS else TABLES if missing(case) else TABLES + SLOW
    assert [name for name in heavy if name not in allowed] == []


def test_help_needs_nothing_but_the_command_line():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom genrec.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(*(name for name in ('numpy', 'polars', 'pydantic', 'scipy', 'torch') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
