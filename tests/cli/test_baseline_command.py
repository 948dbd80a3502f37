import json

import numpy as np
import pytest
from typer.testing import CliRunner

from genrec.cli.main import app
from genrec.recommender import Recommender


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Items with titles, and events with real times under other names of columns."""
    folder = tmp_path_factory.mktemp("baseline")
    items = folder / "items.csv"
    items.write_text("item_id,title\n" + "".join(f"i{n},{('tea', 'cup', 'pot')[n % 3]} {n}\n" for n in range(20)))
    rng = np.random.default_rng(0)
    lines = []
    for user in range(40):
        walk = (rng.integers(20) + np.cumsum(rng.choice([1, 2], 7))) % 20
        lines += [f"u{user},i{item},{1_700_000_000 + 86_400 * n + user}" for n, item in enumerate(walk)]
    events = folder / "events.csv"
    events.write_text("customer,item_id,timestamp\n" + "\n".join(lines) + "\n")
    return items, events


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_a_fitted_baseline_is_evaluated_on_the_split_it_was_fitted_on(tables, tmp_path):
    _, events = tables
    cuts = ("--split", "global-time", "--validation-from", "0.6", "--test-from", "0.8")
    made = invoke("baseline", "transition-counts", *tables, "--user-column", "customer", *cuts, "--out", tmp_path / "t")
    assert made.exit_code == 0, made.output
    assert "validation   NDCG@10" in made.output
    assert Recommender.from_pretrained(tmp_path / "t").info["split_options"] == {
        "validation_from": 0.6,
        "test_from": 0.8,
    }
    out = tmp_path / "report"
    again = ("--baseline", "transition-counts")
    shown = invoke("evaluate", tmp_path / "t", events, "--user-column", "customer", "--out", out, *again)
    assert shown.exit_code == 0, shown.output
    assert "(global-time)" in shown.output
    rows = [row for row in json.loads((out / "metrics.json").read_text()) if row["targets"] == "all"]
    own, same = (next(row for row in rows if row["recommender"] == name) for name in ("t", "transition-counts"))
    assert own["recall@10"] == same["recall@10"] > 0
    assert "What is really different" in (out / "metrics.md").read_text()


def test_settings_are_fixed_and_texts_become_vectors(tables, tmp_path):
    out = tmp_path / "text"
    made = invoke("baseline", "text-neighbours", *tables, "--user-column", "customer", "--set", "last=2", "--out", out)
    assert made.exit_code == 0, made.output
    assert Recommender.from_pretrained(out).settings.last == 2
    assert invoke("baseline", "popularity", *tables, "--user-column", "customer", "--out", out).exit_code == 1


def test_a_baseline_by_words_generates_a_table(tables, tmp_path):
    items, events = tables
    model, out = tmp_path / "words", tmp_path / "recs.csv"
    made = invoke("baseline", "word-neighbours", items, events, "--user-column", "customer", "--out", model)
    assert made.exit_code == 0, made.output
    histories = tmp_path / "histories.csv"
    histories.write_text("user_id,item_id\na,i0\nb,i1\n")
    done = invoke("generate", model, histories, "--k", "3", "--out", out)
    assert done.exit_code == 0, done.output
    assert "user_id, rank, item_id, score)" in done.output
    rows = [line.split(",") for line in out.read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["a"] * 3 + ["b"] * 3
    assert all((int(row[2][1:]) - (row[0] == "b")) % 3 == 0 for row in rows)  # the same word, tea or cup
    refused = invoke("generate", model, histories, "--beams", "5", "--where", "title=tea", "--out", tmp_path / "no.csv")
    assert refused.exit_code == 1
    assert "no --beams and no --where" in refused.output
    assert not (tmp_path / "no.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sasrek",), "Did you mean 'sasrec'?"),
        (("sasrec", "--set", "dimm=3"), "Did you mean 'dim'?"),
        (("sasrec", "--set", "learning_rate=fast"), "learning_rate"),
        (("popularity", "--split", "global-time"), "validation_from"),
        (("text-neighbours", "--vectors", "word2vec"), "lsa"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(tables, tmp_path, arguments, words):
    name, *options = arguments
    result = invoke("baseline", name, *tables, "--user-column", "customer", "--out", tmp_path / "x", *options)
    assert result.exit_code == 1
    assert words in result.output
    assert not (tmp_path / "x").exists()


def test_slices_by_columns_of_items_and_users(tables, tmp_path):
    _, events = tables
    kinds, users = tmp_path / "kinds.csv", tmp_path / "users.csv"
    kinds.write_text("item_id,kind\n" + "".join(f"i{n},{('drink', 'dish')[n % 2]}\n" for n in range(18)))
    users.write_text("user_id,country\n" + "".join(f"u{n},{('nl', 'de')[n % 2]}\n" for n in range(30)))
    own = ("--user-column", "customer", "--out", tmp_path / "p")
    assert invoke("baseline", "popularity", *tables, *own).exit_code == 0
    tail = ("--user-column", "customer", "--baseline", "popularity", "--item-table", kinds, "--user-table", users)
    result = invoke(
        "evaluate", tmp_path / "p", events, "--slice", "kind", "--slice", "country", *tail, "--out", tmp_path / "report"
    )
    assert result.exit_code == 0, result.output
    cases = {}
    for row in json.loads((tmp_path / "report" / "metrics.json").read_text()):
        cases[row["targets"]] = row["cases"]
    assert cases["country=nl"] == cases["country=de"] == 15
    assert cases["country=?"] == 10
    assert cases["kind=drink"] + cases["kind=dish"] + cases["kind=?"] == 40
    users.write_text(users.read_text().replace("user_id", "customer"))  # tables of users may have the same name for it
    result = invoke("evaluate", tmp_path / "p", events, "--slice", "country", *tail, "--out", tmp_path / "own-name")
    assert result.exit_code == 0, result.output
    named = {row["targets"]: row["cases"] for row in json.loads((tmp_path / "own-name" / "metrics.json").read_text())}
    assert named["country=nl"] == named["country=de"] == 15
    users.write_text(users.read_text() + "broken\n" * 9)
    result = invoke("evaluate", tmp_path / "p", events, "--slice", "country", *tail, "--out", tmp_path / "broken")
    assert "9 of 39 rows (23%) would be lost" in result.output
    users.write_text("customer,country\nu1,nl\n")
    result = invoke("evaluate", tmp_path / "p", events, "--slice", "contry", *tail, "--out", tmp_path / "other")
    assert result.exit_code == 1
    assert "Did you mean 'country'?" in result.output
    users.write_text("uid,country\nu1,nl\n")
    result = invoke("evaluate", tmp_path / "p", events, "--slice", "country", *tail, "--out", tmp_path / "other")
    assert "There is no column 'user_id'" in result.output
