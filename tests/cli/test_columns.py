"""A shop's own columns on every command: said once, remembered, and never lost from one command to the next."""

import json
import shlex

import polars as pl
import pytest
from support import TINY_TOKENIZER, TINY_TRAINING, make_tables
from typer.testing import CliRunner

from genrec.cli.main import app

OPTIONS = {"--user-column": "customer", "--item-column": "sku", "--time-column": "bought_at", "--id-column": "sku"}
SAID = [word for pair in OPTIONS.items() for word in pair]
EVENTS = SAID[:6]


def settings(overrides):
    return [part for override in overrides for part in ("--set", override)]


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, f"{result.output}\n{result.stderr}\n{result.exception!r}"
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop's export, in a folder with a space in its name, and the same tables under the usual names."""
    folder = tmp_path_factory.mktemp("shops") / "my shop"
    folder.mkdir()
    items, log = make_tables()
    items = items.with_columns(pl.col("categories").list.join(" "))
    log = log.with_columns(part=pl.col("timestamp").rank("ordinal", descending=True).over("user_id"))
    log = log.with_columns(part=pl.col("part").replace_strict({1: "test", 2: "validation"}, default="train"))
    items.rename({"item_id": "sku"}).write_csv(folder / "items.csv")
    # shuffled: only the time column tells the order
    log.rename({"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"}).sample(
        fraction=1, shuffle=True, seed=0
    ).write_csv(folder / "log.csv")
    items.write_csv(folder / "usual-items.csv")
    log.write_csv(folder / "usual-log.csv")
    return folder


@pytest.fixture(scope="module")
def made(shop):
    """An index and a recommender of the shop; the columns were said when the index was built, and never again."""
    build = ("index", "build", shop / "items.csv", "--interactions", shop / "log.csv", *settings(TINY_TOKENIZER))
    run(*build, *SAID, "--out", shop / "index")
    run("train", shop / "index", shop / "log.csv", *settings(TINY_TRAINING), "--out", shop / "model")
    return shop


def test_an_index_remembers_the_columns_and_the_split(made):
    manifest = json.loads((made / "index" / "index.json").read_text())
    assert manifest["columns"] == {"user": "customer", "item": "sku", "time": "bought_at", "id": "sku"}
    assert manifest["split"] == {"name": "leave-one-out", "options": {}}
    run("index", "add", made / "index", _new(made), "--out", made / "grown")
    assert json.loads((made / "grown" / "index.json").read_text())["columns"] == manifest["columns"]


def _new(made):
    path = made / "new.csv"
    path.write_text("sku,title\nnew1,green cup 9\n")
    return path


def test_later_commands_need_no_columns_and_say_what_they_use(made, tmp_path):
    log = made / "log.csv"
    for number, words in enumerate(
        (
            ("index", "show", made / "index", "--interactions", log),
            ("evaluate", made / "model", log, "--baseline", "popularity", "--out"),
            ("generate", made / "model", log, "--k", "4", "--out"),
            ("bench", "regret", made / "model", log, "--users", "5", "--beams", "4"),
            ("data", "check", made / "index", log),
            ("data", "check", made / "model", log),
        )
    ):
        result = run(*words, *([tmp_path / f"out{number}.csv"] if words[-1] == "--out" else []))
        assert "Columns of log.csv: user customer, item sku, time bought_at." in result.stderr


def test_the_columns_change_nothing_but_the_names(made, tmp_path):
    """Same codes, same training, same lists as with the usual names."""
    build = ("index", "build", made / "usual-items.csv", "--interactions", made / "usual-log.csv")
    run(*build, *settings(TINY_TOKENIZER), "--out", tmp_path / "index")
    usual, own = (json.loads((folder / "index" / "index.json").read_text()) for folder in (tmp_path, made))
    assert usual["fingerprint"] == own["fingerprint"]
    assert usual["columns"] == {}
    run("generate", made / "model", made / "log.csv", "--k", "4", "--out", tmp_path / "own.csv")
    run("generate", made / "model", made / "usual-log.csv", "--k", "4", "--out", tmp_path / "usual.csv")
    lists = [pl.read_csv(tmp_path / name).sort("user_id", "rank") for name in ("own.csv", "usual.csv")]
    assert lists[0].equals(lists[1])


def test_what_is_said_goes_before_what_is_remembered(made, tmp_path):
    other = tmp_path / "other.csv"
    pl.read_csv(made / "log.csv").rename({"customer": "client", "bought_at": "when"}).write_csv(other)
    generate = ("generate", made / "model", other, "--k", "4", "--out", tmp_path / "recs.csv")
    text = run(*generate, code=1).output
    assert "There is no column" in text
    assert "--user-column client" in text
    result = run(*generate, "--user-column", "client", "--time-column", "when")
    assert "user client, item sku, time when" in result.stderr


def test_one_domain_of_several_has_names_of_its_own():
    from genrec.cli.columns import Tables

    tables = Tables.of(user_column=["customer", "b=client"], item_column=["a=sku"], time_column=["x=y"])
    names = [tables.of_domain(name, ["a", "b"]) for name in "ab"]
    assert [(one.user, one.item, one.time) for one in names] == [("customer", "sku", "x=y"), ("client", None, "x=y")]


def test_a_split_of_ones_own_is_recorded_and_evaluated(made, tmp_path):
    """The column holds leave-one-out: everything that is learned and measured must be the same."""
    build = ("index", "build", made / "items.csv", "--interactions", made / "log.csv", *settings(TINY_TOKENIZER))
    run(*build, *SAID, "--part-column", "part", "--out", tmp_path / "index")
    result = run("train", tmp_path / "index", made / "log.csv", *settings(TINY_TRAINING), "--out", tmp_path / "model")
    assert "custom, by the column 'part'" in result.output
    result = run(
        "evaluate", tmp_path / "model", made / "log.csv", "--baseline", "popularity", "--out", tmp_path / "eval"
    )
    assert "Split: custom, by the column 'part', as generative learned from" in " ".join(result.output.split())
    run("evaluate", made / "model", made / "log.csv", "--baseline", "popularity", "--out", tmp_path / "other")
    figures = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("eval", "other")]
    values = [[row["recall@10"] for row in rows if row["recommender"] == "popularity"] for rows in figures]
    assert values[0] == values[1]


def test_a_split_by_time_goes_through_every_command(made, tmp_path):
    items, log = made / "usual-items.csv", made / "usual-log.csv"
    bounds = ("--split", "global-time", "--validation-from", "0.6", "--test-from", "0.8")
    tiny = settings(TINY_TOKENIZER)
    hint = run("index", "build", items, "--interactions", log, *bounds[:2], *tiny, "--out", tmp_path / "x", code=1)
    assert "--validation-from 0.8 --test-from 0.9" in hint.output
    run("index", "build", items, "--interactions", log, *bounds, *tiny, "--out", tmp_path / "index")
    recipes = ("--tokenizer", "rq-kmeans-3x256", "--interactions", log, *bounds, *tiny)
    result = run("index", "compare", items, *recipes, "--keep", "--out", tmp_path / "compared")
    for folder in (tmp_path / "index", tmp_path / "compared" / "rq-kmeans-3x256"):
        assert json.loads((folder / "index.json").read_text())["split"]["name"] == "global-time"
    (command,) = [line.strip() for line in result.output.splitlines() if line.startswith("  genrec")]
    assert set(bounds) <= set(shlex.split(command))
    assert str(log) in shlex.split(command)
    run("index", "show", tmp_path / "index", "--interactions", log)
    result = run("train", tmp_path / "index", log, *settings(TINY_TRAINING), "--out", tmp_path / "model")
    assert "global-time, validation from 0.6, test from 0.8" in result.output
    other = ("train", tmp_path / "index", log, *settings(TINY_TRAINING), "--split", "leave-one-out")
    assert "may know held-out interactions" in run(*other, "--out", tmp_path / "m2").stderr


def test_titles_under_another_name_are_remembered_for_new_items(made, tmp_path):
    """What --title-column named once is the title of the index, and of later tables."""
    items = pl.read_csv(made / "items.csv").rename({"title": "words of it"})
    items[:50].write_csv(tmp_path / "items.csv")
    items[50:].write_csv(tmp_path / "new.csv")
    build = ("index", "build", tmp_path / "items.csv", *settings(TINY_TOKENIZER), "--id-column", "sku")
    run(*build, "--title-column", "words of it", "--out", tmp_path / "index")
    assert json.loads((tmp_path / "index" / "index.json").read_text())["columns"]["title"] == "words of it"
    result = run("index", "add", tmp_path / "index", tmp_path / "new.csv", "--out", tmp_path / "grown")
    assert "title words of it" in result.stderr
    from genrec.index.semantic_index import SemanticIndex

    for folder in ("index", "grown"):
        catalog = SemanticIndex.load(tmp_path / folder).catalog
        assert catalog.fields == ["title", "categories"]
        assert catalog.frame["title"].null_count() == 0


def test_a_recommender_remembers_columns_that_a_grown_index_does_not_know(made, tmp_path):
    """The index was built from items alone: only training has seen the interactions."""
    build = ("index", "build", made / "items.csv", *settings(TINY_TOKENIZER), "--id-column", "sku")
    run(*build, "--out", tmp_path / "index")
    names = ("--user-column", "customer", "--time-column", "bought_at")
    train = ("train", tmp_path / "index", made / "log.csv", *names)  # items have the name that the index knows
    run(*train, *settings(TINY_TRAINING), "--out", tmp_path / "model")
    run("index", "add", tmp_path / "index", _new(made), "--out", tmp_path / "grown")
    words = ("generate", tmp_path / "model", made / "log.csv", "--index", tmp_path / "grown", "--k", "3")
    result = run(*words, "--out", tmp_path / "recs.csv")
    assert "user customer, item sku, time bought_at" in result.stderr


def test_lists_of_a_shop_have_its_column_of_items(made, tmp_path):
    deny = tmp_path / "deny.csv"
    deny.write_text("sku,reason\ni000,recalled\n")
    words = ("generate", made / "model", made / "log.csv", "--k", "5", "--include-seen", "--deny", deny)
    run(*words, "--out", tmp_path / "recs.csv")
    assert "i000" not in pl.read_csv(tmp_path / "recs.csv")["item_id"].to_list()


def test_baselines_remember_columns_and_split(made, tmp_path):
    tables = ("popularity", made / "items.csv", made / "log.csv", *SAID, "--part-column", "part")
    run("baseline", *tables, "--out", tmp_path / "popular")
    result = run("evaluate", tmp_path / "popular", made / "log.csv", "--out", tmp_path / "eval")
    assert "user customer, item sku, time bought_at" in result.stderr
    assert "custom, by the column 'part'" in result.output
    run("generate", tmp_path / "popular", made / "log.csv", "--k", "3", "--out", tmp_path / "recs.csv")
