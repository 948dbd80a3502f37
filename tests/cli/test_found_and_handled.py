"""No command loses rows without a word: what it left out, how much of it is too much, and which command shows more."""

import re
import shlex

import polars as pl
import pytest
from support import TINY_TOKENIZER, TINY_TRAINING, make_tables
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.errors import GenRecError

TOKENS = [word for change in TINY_TOKENIZER for word in ("--set", change)]
TRAINING = [word for change in TINY_TRAINING for word in ("--set", change)]
COLUMNS = ["--user-column", "customer", "--item-column", "sku", "--time-column", "bought_at", "--id-column", "sku"]


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Good tables, and tables with a few and with many rows that cannot be used; an index and recommenders."""
    folder = tmp_path_factory.mktemp("a shop")
    items, log = make_tables()
    items = items.with_columns(pl.col("categories").list.join(" ")).rename({"item_id": "sku"})
    log = log.rename({"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"})
    for name, lost in (("good", 0), ("few", 3), ("many", 200)):
        items.write_csv(folder / f"{name}-items.csv")
        log.write_csv(folder / f"{name}-log.csv")
        with (folder / f"{name}-log.csv").open("a") as file:
            file.write("u1,i001,8,too,many\n" * lost)
            file.write(f"u2,nowhere,{10**9}\n" * (lost > 0) + f"nobody,i001,soon{lost}\n" * (lost > 0))
        with (folder / f"{name}-items.csv").open("a") as file:
            file.write("i000,red,home\n" * (lost > 0) + "j,too,many,fields\n" * lost)
        new = "sku,title,categories\n" + "".join(f"new{n},green cup {n},home\n" for n in range(30))
        (folder / f"{name}-new.csv").write_text(new + "j,too,many,fields\n" * (lost and lost // 3))
    tables = (folder / "good-items.csv", "--interactions", folder / "good-log.csv")
    assert run("index", "build", *tables, *TOKENS, *COLUMNS, "--out", folder / "index").exit_code == 0
    assert run("train", folder / "index", folder / "good-log.csv", *TRAINING, "--out", folder / "model").exit_code == 0
    return folder


def words_of(verb, shop, name, out):
    """A command on the tables of one name."""
    items, log = shop / f"{name}-items.csv", shop / f"{name}-log.csv"
    return {
        "audit": (items, log, *COLUMNS, "--vectors", "none", "--out", out),
        "baseline": ("popularity", items, log, *COLUMNS, "--out", out),
        "index build": (items, "--interactions", log, *COLUMNS, *TOKENS, "--out", out),
        "index compare": (
            *(items, "--interactions", log, *COLUMNS, *TOKENS[2:]),
            *("--tokenizer", "random-3x256", "--out", out),
        ),
        "index show": (shop / "index", "--interactions", log, "--html", out),
        "index add": (shop / "index", shop / f"{name}-new.csv", "--out", out),
        "train": (shop / "index", log, *TRAINING, "--out", out),
        "pretrain": ("--domain", f"a={items},{log}", *COLUMNS, "--out", out),
        "generate": (shop / "model", log, "--k", "3", "--out", out.with_suffix(".csv")),
        "evaluate": (shop / "model", log, "--baseline", "popularity", "--out", out),
        "bench regret": (shop / "model", log, "--users", "3", "--beams", "2", "--out", out),
    }[verb]


VERBS = ["audit", "baseline", "index build", "index compare", "index show", "index add", "train", "pretrain"]
VERBS += ["generate", "evaluate", "bench regret"]


@pytest.fixture
def no_pretraining(monkeypatch):
    """Pretraining ends where it would begin to learn: the tables are read by then."""

    def stop(*args, **options):
        raise GenRecError("enough")

    monkeypatch.setattr("genrec.training.pretrain.pretrain", stop)


@pytest.mark.usefixtures("no_pretraining")
@pytest.mark.parametrize("verb", VERBS)
def test_a_few_lost_rows_are_told_with_the_command_that_shows_more(verb, shop, tmp_path):
    result = run(*verb.split(), *words_of(verb, shop, "few", tmp_path / "out"))
    assert result.exit_code == 0 or "enough" in result.output, result.output
    said = result.stderr
    assert "Found and handled:" in said
    lost = 1 if verb == "index add" else 3
    assert re.search(rf"{lost} broken-rows: .*line \d", said)
    assert re.search(r"\d+ of \d+ rows are used", said)
    if verb != "index add":
        assert re.search(r"1 unknown-items: .*'nowhere'", said) or verb == "audit"
        assert re.search(r"1 users-without-rows: .*'nobody'", said)
        assert re.search(r"1 unreadable-timestamps: .*'soon3'", said)
    (more,) = re.findall(r"More: (genrec data check .*)", said)
    shown = run(*shlex.split(more)[1:])
    assert shown.exit_code == 0, shown.output
    assert re.search(rf"{lost}  broken-rows", shown.stdout)


@pytest.mark.usefixtures("no_pretraining")
@pytest.mark.parametrize("verb", VERBS)
def test_many_lost_rows_are_an_error_unless_they_are_allowed(verb, shop, tmp_path):
    words = (*verb.split(), *words_of(verb, shop, "many", tmp_path / "out"))
    result = run(*words)
    assert result.exit_code == 1
    assert "would be lost" in result.stderr
    (allowed,) = re.findall(r"--allow-lost (\d\.\d+)", result.stderr)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")] == []
    most = "0.9"  # several tables lose rows, and the first error names the first one
    assert float(allowed) < float(most)
    result = run(*words, "--allow-lost", most)
    assert result.exit_code == 0 or "enough" in result.output, result.output
    assert f"--allow-lost {most}" in result.stderr  # in the command that shows more


def test_nothing_is_said_of_good_tables(shop, tmp_path):
    for verb in ("index build", "index show", "generate", "evaluate"):
        assert "Found and handled" not in run(*verb.split(), *words_of(verb, shop, "good", tmp_path / verb)).output


def test_every_user_of_a_job_is_in_the_table_or_counted(shop, tmp_path):
    out = tmp_path / "recs.csv"
    result = run("generate", shop / "model", shop / "few-log.csv", "--k", "3", "--out", out)
    served = pl.read_csv(out)["user_id"].n_unique()
    asked = pl.read_csv(shop / "good-log.csv")["customer"].n_unique()
    gone = [int(n) for n in re.findall(r"(\d+) users-without", result.stderr)]
    assert served + sum(gone) == asked + 2  # two users are only in the lost rows: u2 and nobody
