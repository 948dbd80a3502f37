"""``genrec page`` from folders to one file."""

import json
import re

import pytest
from typer.testing import CliRunner

from genrec.cli.main import app

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def run(*arguments):
    return CliRunner().invoke(app, ["page", *map(str, arguments)])


def test_one_file_from_a_model_alone_and_with_histories(trained, tables, tmp_path):
    recommender, folder = trained
    made = run(folder, "--out", tmp_path / "alone.html", "--users", 3, "--k", 2)
    assert made.exit_code == 0, made.output
    content = json.loads(DATA.search((tmp_path / "alone.html").read_text(encoding="utf-8"))[1])
    assert [len(user["history"]) for user in content["users"]] == [1, 1, 1]
    made = run(
        folder, "--out", tmp_path / "page.html", "--histories", tables[1], "--users", 4, "--hold-out", 1, "--k", 3
    )
    assert made.exit_code == 0, made.output
    assert "4 users, 60 items" in made.output
    content = json.loads(DATA.search((tmp_path / "page.html").read_text(encoding="utf-8"))[1])
    for user in content["users"]:
        found = [item["item_id"] for item in user["answers"][0]["items"]]
        assert found == recommender.recommend([user["history"]], 3).item_ids[0]
        assert len(user["next"]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--histories", "nowhere.csv"], "does not exist"),
        (["--hold-out", "50", "--histories", "TABLE"], "more than 50 items"),
        (["--set", "beems=3"], "'beams'"),
        (["AGAIN"], "given twice"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(arguments, says, trained, tables, tmp_path):
    places = {"TABLE": tables[1], "AGAIN": trained[1]}
    made = run(trained[1], *[places.get(one, one) for one in arguments], "--out", tmp_path / "page.html")
    assert made.exit_code == 1
    assert says in made.output
    assert list(tmp_path.iterdir()) == []
