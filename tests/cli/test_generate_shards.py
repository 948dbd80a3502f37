"""``genrec generate --shard-users``: the same rows as one table, by the same options."""

import polars as pl
import pytest
from typer.testing import CliRunner

from genrec.cli.main import app


def run(*words):
    return CliRunner().invoke(app, ["generate", *map(str, words)])


def test_shards_hold_the_rows_of_the_table(trained, tables, tmp_path):
    one = run(trained[1], tables[1], "--out", tmp_path / "one.parquet", "--k", 5, "--beams", 10)
    many = run(trained[1], tables[1], "--out", tmp_path / "many", "--k", 5, "--beams", 10, "--shard-users", 20)
    assert one.exit_code == many.exit_code == 0, many.output
    assert "shards" in many.output
    keys = ["user_id", "rank"]
    whole = pl.read_parquet(tmp_path / "one.parquet").sort(keys)
    parts = pl.read_parquet(tmp_path / "many" / "part-*.parquet").sort(keys)
    assert parts["item_id"].equals(whole["item_id"])
    again = run(trained[1], tables[1], "--out", tmp_path / "many", "--k", 5, "--beams", 10, "--shard-users", 20)
    assert again.exit_code == 0
    other = run(trained[1], tables[1], "--out", tmp_path / "many", "--k", 6, "--beams", 10, "--shard-users", 20)
    assert other.exit_code == 1
    assert "settings.k was 5, is 6" in other.output


def test_filters_and_foreign_columns_are_the_same_options(trained, tables, tmp_path):
    frame = pl.read_csv(tables[1]).rename({"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"})
    frame.write_csv(tmp_path / "orders.csv")
    (tmp_path / "deny.csv").write_text("sku\ni001\nunknown\n")
    columns = ["--user-column", "customer", "--item-column", "sku", "--time-column", "bought_at"]
    made = run(trained[1], tmp_path / "orders.csv", "--out", tmp_path / "out", "--shard-users", 40, *columns,
               "--deny", tmp_path / "deny.csv", "--where", "categories=cup")  # fmt: skip
    assert made.exit_code == 0, made.output
    items = pl.read_parquet(tmp_path / "out" / "part-*.parquet")["item_id"].unique().to_list()
    assert items
    assert "i001" not in items
    assert all(int(item[1:]) % 6 == 0 for item in items)


def test_a_folder_of_parts_is_one_table_and_empty_parts_are_none(trained, tables, tmp_path):
    frame = pl.read_csv(tables[1]).reverse()  # in the order of the rows alone the lists would be others
    parts = tmp_path / "parts"
    parts.mkdir()
    frame[:0].write_csv(parts / "part-0.csv")
    frame[:100].write_csv(parts / "part-1.csv")
    (parts / "part-2.csv").touch()
    frame[100:].write_csv(parts / "part-3.csv")
    words = ("--shard-users", 100, "--k", 3, "--beams", 5)
    for histories, out in ((parts, "many"), (tables[1], "one")):
        made = run(trained[1], histories, "--out", tmp_path / out, *words)
        assert made.exit_code == 0, made.output
        assert "order of the rows" not in made.output
    lists = [pl.read_parquet(tmp_path / out / "part-*.parquet").sort("user_id", "rank") for out in ("many", "one")]
    assert lists[0].equals(lists[1])
    assert "This is a folder" in run(trained[1], parts, "--out", tmp_path / "table.csv").output


def test_a_forgotten_time_column_is_asked_for(trained, tables, tmp_path):
    frame = pl.read_csv(tables[1]).rename({"timestamp": "bought_at"})
    frame.write_csv(tmp_path / "orders.csv")
    made = run(trained[1], tmp_path / "orders.csv", "--out", tmp_path / "out", "--shard-users", 40)
    assert made.exit_code == 1
    assert "--time-column bought_at" in made.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", ["strangers", "held out", "without times"])
def test_nobody_to_recommend_for_is_the_same_error_for_a_table_and_for_shards(case, trained, tables, tmp_path):
    frame = pl.read_csv(tables[1])
    item, time = ("'x' || item_id" if case == "strangers" else "item_id"), "timestamp"
    if case == "without times":
        item, time = "CASE WHEN user_id < 'u005' THEN item_id ELSE 'x' || item_id END", "'never'"
    frame.sql(f"SELECT user_id, {item} AS item_id, {time} AS timestamp FROM self").write_csv(tmp_path / "h.csv")
    words = ["--allow-lost", 1, *(["--hold-out", 1000] if case == "held out" else [])]
    table = run(trained[1], tmp_path / "h.csv", "--out", tmp_path / "t.parquet", *words)
    for users in (1000, 20, 20):  # the last goes on with the one before
        shards = run(trained[1], tmp_path / "h.csv", "--out", tmp_path / f"s-{users}", "--shard-users", users, *words)
        assert table.exit_code == shards.exit_code == 1, shards.output
        said = {"strangers": "with items that the catalogue does not have", "held out": "No history has more than"}
        told = [" ".join(made.output.split("Error: ")[1].split()) for made in (table, shards)]
        if case in said:
            assert all(said[case] in one for one in told)
            assert told[0].split("where:")[0] == told[1].split("where:")[0]
        else:
            assert "unreadable-timestamps" in told[1]
        assert "shards  " not in shards.output
        assert 'complete": true' not in (tmp_path / f"s-{users}" / "generate.json").read_text()


@pytest.mark.parametrize("words", [["--workers", "0"], ["--shard-users", "0"], ["--engine", "spark"]])
def test_sizes_that_make_no_sense_are_refused(words, trained, tables, tmp_path):
    assert run(trained[1], tables[1], "--out", tmp_path / "out", *words).exit_code == 2
    assert not (tmp_path / "out").exists()
