import logging
import re

import numpy as np
import polars as pl
import pytest

from genrec.data import write_table
from genrec.data.item_lists import read_item_list, read_scores
from genrec.data.report import DataReport
from genrec.errors import DataError

ITEMS = [f"{n:05d}" for n in range(20)]


def put(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_known_items_hold_and_unknown_ones_are_counted(tmp_path):
    path = put(tmp_path / "deny.csv", "item_id,reason\n00005,recalled\nXYZ,gone\n 00003 ,x\n00005,again\nABC,\n")
    found = read_item_list(path, ITEMS, name="deny list")
    assert found.ids == ["00005", "00003"]
    assert found.report.rows == {"deny list": 5}
    assert found.report.kept() == len(found.ids)
    assert found.report.lines()[0] == "deny list: 2 of 5 rows are used."
    assert any("2 unknown-list-items" in line and "'XYZ'; 'ABC'" in line for line in found.report.lines())


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("where", [list, np.array, pl.Series])
def test_lists_of_every_kind_of_file(tmp_path, suffix, where):
    path = tmp_path / f"list{suffix}"
    write_table(pl.DataFrame({"sku": ["00001", "00002"], "score": [1.5, -2.0]}), path)
    assert read_item_list(path, where(ITEMS), id_column="sku").ids == ["00001", "00002"]
    assert read_item_list(path, where(ITEMS), id_column="sku").report.lines() == []
    scores = read_scores(path, where(ITEMS), id_column="sku")
    assert scores.dtype == np.float32
    assert scores[:4].tolist() == [0.0, 1.5, -2.0, 0.0]


@pytest.mark.parametrize("read", [read_item_list, read_scores])
@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("item_id,score\n00005,1,recalled\n", "line 2: 3 fields"),
        ("item_id,score\n00005,1\n00006,1, dangerous\n", "line 3: 3 fields"),
        ("item_id,score\n00005,1\n00006\n", "line 3: 1 field"),
        ("item_id,score\n00005,1\n,1\n", "line 3"),
        ("item_id,score\n00005,1\nnan,1\n", "line 3"),
        ('item_id,score\n00005,"1\n00006,2\n', "line 2: a quote that is not closed"),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error_that_names_it(tmp_path, read, text, row):
    with pytest.raises(DataError) as caught:
        read(put(tmp_path / "list.csv", text), ITEMS)
    assert row in str(caught.value)


def test_json_rows_that_cannot_be_read_are_named(tmp_path):
    path = put(tmp_path / "deny.jsonl", '{"item_id": "00001"}\n{"item_id": \n')
    with pytest.raises(DataError, match=r"1 row of the deny list cannot be read(.|\n)*line 2"):
        read_item_list(path, ITEMS, name="deny list")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id,score\n00001,1\n00002,high\n", "'00002' has no number as its score(.|\n)*line 3"),
        ("item_id,score\n00001,\n", "'00001' has no number(.|\n)*line 2"),
        ("item_id,score\n00001,inf\n00002,NaN\n", "has no number as its score. 1 more row"),
        ("item_id,score\nXYZ,high\n", "'XYZ' has no number"),
        ("item_id,score\n00001,1\n00001,2\n", "'00001' is named twice(.|\n)*line 3"),
        ("item_id,points\n00001,1\n", "no column 'score'(.|\n)*score_column"),
        ("sku,score\n00001,1\n", "no column 'item_id'(.|\n)*--id-column sku"),
        ("00001\n00002\n", "first line of the prior is an item, not a heading"),
    ],
)
def test_wrong_scores_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_scores(put(tmp_path / "prior.csv", text), ITEMS)


def test_a_table_without_columns_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column 'item_id'"):
        read_item_list(put(tmp_path / "list.jsonl", "{}\n{}\n"), ITEMS)


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Int8, pl.Decimal(5, 2), pl.Binary])
def test_scores_of_any_type_that_holds_numbers(tmp_path, kind):
    frame = pl.DataFrame({"item_id": ["00001"], "score": pl.Series(["2"]).cast(kind)})
    write_table(frame, tmp_path / "p.parquet")
    assert read_scores(tmp_path / "p.parquet", ITEMS)[1] == 2


@pytest.mark.parametrize("kind", [pl.List(pl.Int64), pl.Duration("us"), pl.Time, pl.Date, pl.Boolean])
def test_scores_that_are_no_numbers_are_refused(tmp_path, kind):
    score = (
        pl.Series("score", [[1]], dtype=kind) if kind == pl.List(pl.Int64) else pl.Series("score", [None], dtype=kind)
    )
    write_table(pl.DataFrame([pl.Series("item_id", ["00001"]), score]), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=re.escape(f"holds {kind}")):
        read_scores(tmp_path / "p.parquet", ITEMS)


def test_unknown_items_of_scores_are_told_and_equal_rows_merge(tmp_path, caplog):
    path = put(tmp_path / "prior.csv", "item_id,score\n7,1\n00003,2\n00003,2\nXYZ,5\n")
    report = DataReport()
    scores = read_scores(path, ITEMS, report=report)
    assert np.flatnonzero(scores).tolist() == [3]
    assert report.count("unknown-list-items") == 2
    assert report.count("duplicate-items") == 1
    assert "Were leading zeros lost? The catalogue has '00007' where the prior has '7'." in report.problems[0].fix
    with caplog.at_level(logging.WARNING):
        read_scores(path, ITEMS)
    assert "2 unknown-list-items" in caplog.text


def test_a_list_of_unknown_items_only(tmp_path):
    path = put(tmp_path / "list.csv", "item_id\nX\nY\n")
    assert read_item_list(path, ITEMS).ids == []
    with pytest.raises(DataError, match=r"No item of the allow list is in the catalogue(.|\n)*'X', 'Y'"):
        read_item_list(path, ITEMS, name="allow list", needed=True)
