"""Filters, priors and decoding settings of ``genrec generate``, on a small trained model."""

import polars as pl
import pytest
from typer.testing import CliRunner

from genrec.cli.main import app


def generate(trained, tables, out, *options, code=0):
    arguments = ["generate", str(trained[1]), str(tables[1]), "--k", "4", "--out", str(out), *map(str, options)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, f"{result.output}\n{result.stderr}\n{result.exception!r}"
    if code:
        text = result.output + result.stderr
        assert "Traceback" not in text
        assert not out.exists()
        return text
    return pl.read_csv(out)


def test_where_keeps_to_the_sub_catalogue(trained, tables, tmp_path):
    titles = dict(zip(*pl.read_ndjson(tables[0]).select("item_id", "title"), strict=True))
    found = generate(trained, tables, tmp_path / "a.csv", "--where", "categories=cup", "--where", "categories=outdoor")
    assert all("cup" in titles[item] for item in found["item_id"])
    assert "Did you mean 'categories'" in generate(
        trained, tables, tmp_path / "b.csv", "--where", "categorie=cup", code=1
    )


def test_a_prior_moves_an_item_to_the_front(trained, tables, tmp_path):
    scores = tmp_path / "prior.csv"
    scores.write_text("item_id,score\ni007,50\ni011,-50\n")
    found = generate(trained, tables, tmp_path / "a.csv", "--prior", scores, "--include-seen")
    assert found.filter(pl.col("rank") == 1)["item_id"].unique().to_list() == ["i007"]
    assert "i011" not in found["item_id"].to_list()
    weak = generate(trained, tables, tmp_path / "b.csv", "--prior", scores, "--include-seen", "--set", "prior_weight=0")
    plain = generate(trained, tables, tmp_path / "c.csv", "--include-seen")
    assert weak.drop("score").equals(plain.drop("score"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("item_id,score\ni001,1\ni002\n", "line 3: 1 field"),
        ("item_id,score\ni001,high\n", "no number"),
        ("item_id,score\ni001,1\ni001,2\n", "named twice"),
        ("item_id,points\ni001,1\n", "'score'"),
    ],
)
def test_a_wrong_prior_is_refused(content, message, trained, tables, tmp_path):
    (tmp_path / "prior.csv").write_text(content)
    text = generate(trained, tables, tmp_path / "a.csv", "--prior", tmp_path / "prior.csv", code=1)
    assert message in text
    assert "prior.csv" in text.replace("\n", "")


def test_a_deny_list_with_an_unreadable_row_is_an_error_and_an_unknown_item_is_not(trained, tables, tmp_path):
    first = generate(trained, tables, tmp_path / "a.csv", "--include-seen").filter(pl.col("rank") == 1)["item_id"][0]
    deny = tmp_path / "deny.csv"
    deny.write_text(f"item_id,reason\n{first},recalled, dangerous\n")
    text = generate(trained, tables, tmp_path / "b.csv", "--deny", deny, code=1)
    assert "line 2: 3 fields" in text
    assert not (tmp_path / "b.csv").exists()
    deny.write_text(f"item_id\n{first}\nXYZ\n")
    found = generate(trained, tables, tmp_path / "b.csv", "--include-seen", "--deny", deny)
    assert first not in found["item_id"].to_list()
    allow = tmp_path / "allow.csv"
    allow.write_text("item_id\nXYZ\n")
    assert "No item of the allow list" in generate(trained, tables, tmp_path / "c.csv", "--allow", allow, code=1)


def test_settings_of_decoding_can_be_changed(trained, tables, tmp_path):
    exact = generate(trained, tables, tmp_path / "a.csv", "--set", "exact=true")
    wide = generate(trained, tables, tmp_path / "b.csv", "--set", "beams=60")
    assert exact["item_id"].to_list() == wide["item_id"].to_list()
    spread = generate(trained, tables, tmp_path / "c.csv", "--set", "max_per_prefix=1", "--set", "normalize=children")
    from genrec.index.semantic_index import SemanticIndex

    index = SemanticIndex.load(trained[1] / "index")
    first = dict(zip(index.item_ids.tolist(), index.codes[:, 0].tolist(), strict=True))
    firsts = spread.with_columns(pl.col("item_id").replace_strict(first).alias("first"))
    assert (firsts.group_by("user_id").agg(pl.col("first").n_unique() == pl.len())["first"]).all()
    generate(trained, tables, tmp_path / "d.csv", "--set", "groups=2", "--set", "mmr=0.5")
    for change, message in (
        ("beam=3", "Did you mean 'beams'"),
        ("normalize=all", "normalize"),
        ("beams", "key.sub=value"),
        ("prior={weight: 1}", "no item prior"),
    ):
        assert message in generate(trained, tables, tmp_path / "e.csv", "--set", change, code=1)


def test_an_output_of_unknown_kind_is_refused_as_what_it_is(trained, tables, tmp_path):
    text = generate(trained, tables, tmp_path / "a.xyz", code=1)
    assert "Cannot tell what kind of table 'a.xyz' is" in text
    assert ".parquet" in text


def test_users_of_whom_nothing_is_known_are_counted(trained, tables, tmp_path):
    strangers = tmp_path / "strangers.csv"
    strangers.write_text("user_id,item_id,timestamp\nx,i001,1\nx,nowhere,2\ny,nowhere,1\nz,elsewhere,1\n")
    arguments = ["generate", str(trained[1]), str(strangers), "--k", "4", "--out", str(tmp_path / "a.csv")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "--allow-lost 0.75" in result.output
    assert not (tmp_path / "a.csv").exists()
    result = CliRunner().invoke(app, [*arguments, "--allow-lost", "0.75"])
    assert result.exit_code == 0, result.output
    assert "interactions: 1 of 4 rows are used." in result.stderr
    assert "3 unknown-items" in result.stderr
    assert "2 users-without-items" in result.stderr
    assert f"genrec data check {trained[1]} {strangers} --allow-lost 0.75" in result.stderr
    assert pl.read_csv(tmp_path / "a.csv")["user_id"].unique().to_list() == ["x"]
