"""A list or an object where an id is meant is refused with the row that holds it."""

import json

import polars as pl
import pytest

from genrec.data import Catalog, Interactions
from genrec.data.item_lists import read_item_list
from genrec.data.pieces import table_pieces
from genrec.data.report import DataReport
from genrec.errors import DataError

GOOD = [{"user_id": "u", "item_id": name, "timestamp": n, "title": name} for n, name in enumerate("abc")]
VALUES = {
    "a list": ["b"],
    "an empty list": [],
    "a list of two": ["b", "c"],
    "a list of objects": [{"id": 7}],
    "an object": {"id": 7, "name": "x"},
    "an object with another key": {"name": "x", "product_id": "7"},
}
READERS = {
    "catalogue": lambda path: Catalog.read(path),
    "interactions": lambda path: Interactions.read(path),
    "list": lambda path: read_item_list(path, ["a", "b", "c"]),
}


def written(path, value, column="item_id"):
    rows = [GOOD[0], {**GOOD[1], column: value}, GOOD[2]]
    path.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n")
    return path


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("reader", READERS)
def test_the_row_is_named(tmp_path, reader, value):
    path = written(tmp_path / "table.jsonl", VALUES[value])
    with pytest.raises(DataError) as raised:
        READERS[reader](path)
    assert raised.value.where == f"{path}, line 3"
    assert json.dumps(VALUES[value]) in raised.value.what
    assert "jq -c" in raised.value.hint


def test_users_too_and_the_field_inside_is_named(tmp_path):
    path = written(tmp_path / "table.jsonl", {"email": "x", "customer_id": 9}, "user_id")
    with pytest.raises(DataError, match="'user_id' holds an object") as raised:
        Interactions.read(path)
    assert '."user_id" |= (."customer_id"? // .)' in raised.value.hint


def test_text_of_csv_and_columns_of_frames(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('user_id,item_id\nu,a\nu,"{""id"": 3}"\n')
    with pytest.raises(DataError, match="an object") as raised:
        Interactions.read(path, time_column=None)
    assert raised.value.where == f"{path}, line 3"
    frame = pl.DataFrame({"item_id": [None, ["a"]], "title": ["x", "y"]})
    with pytest.raises(DataError, match="holds a list") as raised:
        Catalog.from_frame(frame)
    assert raised.value.where == "items, row 2"
    frame.write_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match="holds a list"):
        Catalog.read(tmp_path / "table.parquet")


def test_tables_read_in_pieces(tmp_path):
    path = written(tmp_path / "table.jsonl", ["b"])
    with pytest.raises(DataError) as raised:
        list(table_pieces(path, ["item_id"], DataReport("histories"), options=["item_column"]))
    assert raised.value.where == f"{path}, line 3"


@pytest.mark.parametrize("name", ["{3F2504E0-4F89-41D3-9A0C-0305E82C3301}", "[1]", "[a", "{x}", "[]"])
def test_ids_with_brackets_are_ids(name):
    assert Catalog.from_frame(pl.DataFrame({"item_id": [name], "title": ["x"]})).item_ids.tolist() == [name]
