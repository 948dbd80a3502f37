import json

import numpy as np
import polars as pl
import pytest

from genrec.data import Catalog, write_table
from genrec.errors import DataError


def catalog(**columns):
    return Catalog.from_frame(pl.DataFrame(columns, strict=False))


def put(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_any_field_names_and_kinds(tmp_path):
    rows = [
        {"sku": 7, "Name": "Cup", "price": 4.5, "kinds": ["Kitchen", "Cups"], "spec": {"color": "red", "size": 3}},
        {"sku": 8, "Name": "Tea", "price": None, "kinds": [], "spec": {"leaf": True}},
    ]
    path = put(tmp_path / "i.jsonl", "\n".join(map(json.dumps, rows)))
    found = Catalog.read(path, id_column="sku")
    assert found.frame.schema == {
        "item_id": pl.String,
        "Name": pl.String,
        "price": pl.Float64,
        "kinds": pl.List(pl.String),
        "spec": pl.List(pl.String),
    }
    assert found.item_ids.tolist() == ["7", "8"]
    assert found.fields == ["Name", "price", "kinds", "spec"]
    assert found.frame["spec"].to_list() == [["color: red", "size: 3"], ["leaf: true"]]
    assert found.report.problems == []
    assert found.report.facts["items"] == 2


def test_the_same_content_is_the_same_catalogue_in_every_format(tmp_path):
    frame = pl.DataFrame({"item_id": ["01", "2"], "title": ["Ä", 'b "c"'], "kinds": [["x", "y"], ["z"]]})
    prints = set()
    for suffix in (".csv", ".tsv", ".jsonl", ".jsonl.gz", ".parquet"):
        write_table(frame, tmp_path / f"i{suffix}")
        found = Catalog.read(tmp_path / f"i{suffix}")
        assert found.frame.equals(frame), suffix
        prints.add(found.fingerprint())
    assert len(prints) == 1
    assert Catalog.from_frame(frame.with_columns(title=pl.lit("other"))).fingerprint() not in prints


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (['["a", "b"]', "[]", None], [["a", "b"], [], None]),
        (["['a', \"b's\"]", "['c']"], [["a", "b's"], ["c"]]),
        (['[["a", "b"], ["c"]]'], [["a > b", "c"]]),
        (['{"color": "red", "n": 2}', ""], [["color: red", "n: 2"], None]),
        (["[1, 2.5, null]"], [["1", "2.5"]]),
        (["[Sealed] box", "[x]"], ["[Sealed] box", "[x]"]),
        (['["a"]', "plain"], ['["a"]', "plain"]),
        (["__import__('os')"], ["__import__('os')"]),
    ],
)
def test_texts_that_are_lists_in_every_row_become_lists(texts, expected):
    found = catalog(item_id=[str(n) for n in range(len(texts))], x=texts)
    assert found.frame["x"].to_list() == expected


def test_nested_lists_and_other_types():
    import datetime

    found = Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": ["a"],
                "paths": [[["Home", "Cups"], ["Gifts"]]],
                "numbers": [[1, 2]],
                "entries": [[{"k": "color", "v": 1}]],
                "flag": [True],
                "day": [datetime.date(2024, 5, 31)],
                "broken": [float("nan")],
            }
        )
    )
    assert found.frame.row(0) == (
        "a",
        ["Home > Cups", "Gifts"],
        ["1", "2"],
        ["k: color; v: 1"],
        "true",
        "2024-05-31",
        None,
    )


def test_ids_are_strings_and_leading_zeros_survive(tmp_path):
    path = put(tmp_path / "i.csv", "item_id,title\n007,a\n7,b\n 8 ,c\n")
    found = Catalog.read(path)
    assert found.item_ids.tolist() == ["007", "7", "8"]
    assert found.report.count("repaired-ids") == 1
    assert "line 4" in found.report.problems[0].examples[0]
    assert catalog(item_id=[1.0, 2.0], t=["x", "y"]).item_ids.tolist() == ["1", "2"]
    assert catalog(item_id=["1.0", "2.0"], t=["x", "y"]).item_ids.tolist() == ["1", "2"]
    assert catalog(item_id=["1.0", "2.5"], t=["x", "y"]).item_ids.tolist() == ["1.0", "2.5"]


def test_duplicates_are_merged_and_conflicts_keep_the_first(tmp_path):
    path = put(tmp_path / "i.csv", 'item_id,title\na,x\nb,"y\nz"\na,x\na,other\nc,w\nb,q\n')
    found = Catalog.read(path)
    assert found.frame.rows() == [("a", "x"), ("b", "y\nz"), ("c", "w")]
    assert found.report.count("duplicate-items") == 1
    assert found.report.count("conflicting-items") == 2
    examples = {problem.kind: problem.examples for problem in found.report.problems}
    assert examples["duplicate-items"] == ("line 5: item 'a'",)
    assert examples["conflicting-items"] == ("line 6: item 'a'", "line 8: item 'b'")


def test_missing_ids_are_refused_with_their_lines(tmp_path):
    path = put(tmp_path / "i.csv", "item_id,title\na,x\n,y\nNaN,z\n")
    with pytest.raises(DataError, match=r"2 items have no item_id(.|\n)*line 3, line 4"):
        Catalog.read(path)


def test_missing_column_names_the_columns_and_the_way_to_map_it(tmp_path):
    path = put(tmp_path / "i.csv", "ItemID,title\na,x\n")
    with pytest.raises(DataError) as caught:
        Catalog.read(path)
    message = str(caught.value)
    assert "no column 'item_id'" in message
    assert "ItemID, title" in message
    assert "--id-column ItemID" in message
    assert "id_column='ItemID'" in message
    with pytest.raises(DataError, match="Did you mean 'parent_asin'"):
        catalog(parent_asin=["a"], title=["x"])


def test_two_id_columns_are_refused():
    with pytest.raises(DataError, match="also a column 'item_id'"):
        Catalog.from_frame(pl.DataFrame({"sku": ["a"], "item_id": ["b"]}), id_column="sku")


def test_items_without_text_stay_and_are_counted():
    found = catalog(item_id=["a", "b", "c"], title=["x", " ", None], kinds=[[], [""], ["k"]], price=[1, 2, 3])
    assert len(found) == 3
    assert found.report.count("items-without-text") == 1
    assert found.report.problems[0].examples == ("item 'b'",)
    assert catalog(item_id=["a"]).report.count("items-without-text") == 1


def test_titles_fall_back_to_fields_and_ids():
    found = catalog(
        item_id=["a", "b", "c", "d"],
        brand=["Opi", "Ghost", None, "Unknown"],
        title=["Cup", "", None, None],
        kinds=[["K"], ["Sports > Hunting > Tools", "X"], ["Only"], []],
    )
    assert found.titles() == ["Cup", "Ghost · Tools", "Only", "d"]
    assert catalog(item_id=["a"]).titles() == ["a"]
    assert catalog(item_id=["a"], price=[3]).titles() == ["a"]


def test_positions():
    found = catalog(item_id=["b", "a", "10"], title=["x", "y", "z"])
    for ids in (["a", "nope", "10"], np.array(["a", "nope", "10"], dtype=object), pl.Series(["a", "nope", "10"])):
        assert found.positions(ids).tolist() == [1, -1, 2]
    assert found.positions([10]).tolist() == [2]
    assert found.positions([]).dtype == np.int64


def test_concat_appends_and_refuses_known_items():
    old = catalog(item_id=["a", "b"], title=["x", "y"], price=[1, 2], kinds=[["k"], []])
    new = catalog(item_id=["c"], title=["z"], price=["3"], kinds=["plain"], extra=["e"])
    both = old.concat(new)
    assert both.item_ids.tolist() == ["a", "b", "c"]
    assert both.frame.row(2) == ("c", "z", 3, ["plain"], "e")
    assert both.frame.row(0) == ("a", "x", 1, ["k"], None)
    assert old.concat(catalog(item_id=["c"], price=["cheap"])).frame["price"].to_list() == ["1", "2", "cheap"]
    with pytest.raises(DataError, match="1 of the 2 new items are already"):
        old.concat(catalog(item_id=["z", "b"], title=["x", "y"]))


def test_select_by_positions_and_mask():
    found = catalog(item_id=["a", "b", "c"], title=["x", "y", "z"])
    assert found.select([2, 0]).item_ids.tolist() == ["c", "a"]
    assert found.select(np.array([True, False, True])).item_ids.tolist() == ["a", "c"]


def test_empty_table_is_refused():
    with pytest.raises(DataError, match="no items"):
        Catalog.from_frame(pl.DataFrame(schema={"item_id": pl.String, "title": pl.String}))


def test_unusable_columns_are_refused():
    with pytest.raises(DataError, match="not ids"):
        catalog(item_id=[["a"]], title=["x"])
    with pytest.raises(DataError, match="holds bytes"):
        catalog(item_id=["a"], image=[b"\x00"])
