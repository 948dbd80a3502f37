import csv
import json

import numpy as np
import polars as pl
import pytest

from genrec.data import Catalog, write_table
from genrec.errors import ConfigError, DataError


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
    assert [(one.kind, one.examples) for one in found.report.problems] == [("title-column", ("'Name'",))]
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


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_message_says_which_words_count_as_missing(tmp_path, suffix):
    path = tmp_path / f"i{suffix}"
    write_table(pl.DataFrame({"item_id": ["nan", "null", "None", "ok"], "title": list("abcd")}), path)
    with pytest.raises(
        DataError, match=r"3 items have no item_id(.|\n)*'nan', 'null', 'None'(.|\n)*the words nan, NaN, NAN"
    ):
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
    with pytest.raises(DataError, match="1 of 2 new items is already"):
        old.concat(catalog(item_id=["z", "b"], title=["x", "y"]))


def test_select_by_positions_and_mask():
    found = catalog(item_id=["a", "b", "c"], title=["x", "y", "z"])
    assert found.select([2, 0]).item_ids.tolist() == ["c", "a"]
    assert found.select(np.array([True, False, True])).item_ids.tolist() == ["a", "c"]


def test_empty_table_is_refused():
    with pytest.raises(DataError, match="no items"):
        Catalog.from_frame(pl.DataFrame(schema={"item_id": pl.String, "title": pl.String}))


def test_unusable_columns_are_refused():
    with pytest.raises(DataError, match="not an id"):
        catalog(item_id=[["a"]], title=["x"])
    with pytest.raises(DataError, match="holds bytes"):
        catalog(item_id=["a"], image=[b"\x00"])


MIXED = {
    "item_id": ["007", "10", "011", "12"],
    "title": ["1984", "2001", "300", "42"],  # titles are text, whatever they look like
    "name": ["red cup", None, "blue cup", 'tea, "green"'],
    "price": [9.99, None, 12.0, 1e-7],
    "stock": [0, -3, None, 2**62],
    "half": [1.0, 2.5, None, -0.0],
    "ean": ["0400", "4001", None, "40"],
    "huge": [10**20, 1, 2, None],
    "long": [9007199254740993, 2.5, None, 1],
    "fair": [True, False, None, True],
    "empty": [None, None, None, None],
    "kinds": [["a", "b"], [], None, ["c"]],
    "numbers": [[1, 2], [3], None, []],
    "spec": [{"size": 3, "hue": "red"}, None, None, {"size": 4, "hue": None}],
    "code": ["1e", "2", "3", "4"],
}


def test_the_same_values_are_the_same_catalogue_in_every_format(tmp_path):
    """Numbers in csv and tsv are numbers as in JSON lines; leading zeros and ids stay text: the same IDs come out."""
    rows = [{name: values[n] for name, values in MIXED.items()} for n in range(4)]
    put(tmp_path / "i.jsonl", "\n".join(map(json.dumps, rows)))

    def cell(value):
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)

    for suffix, separator in ((".csv", ","), (".tsv", "\t")):
        with (tmp_path / f"i{suffix}").open("w", newline="") as stream:
            writer = csv.writer(stream, delimiter=separator)
            writer.writerow(MIXED)
            writer.writerows([cell(value) for value in row.values()] for row in rows)
    found = {suffix: Catalog.read(tmp_path / f"i{suffix}") for suffix in (".jsonl", ".csv", ".tsv")}
    write_table(found[".jsonl"].frame, tmp_path / "i.parquet")
    found[".parquet"] = Catalog.read(tmp_path / "i.parquet")
    expected = found[".jsonl"].frame
    kinds = {name: str(kind) for name, kind in expected.schema.items()}
    assert kinds["price"] == kinds["half"] == "Float64"
    assert kinds["stock"] == "Int64"
    assert {name for name, kind in kinds.items() if kind == "String"} == {
        *("item_id", "title", "name", "ean", "huge", "long", "fair", "empty", "code")
    }
    assert expected["huge"].to_list() == ["100000000000000000000", "1", "2", None]
    assert expected["long"].to_list()[0] == "9007199254740993"
    for suffix, other in found.items():
        assert other.frame.equals(expected), suffix
        assert other.fingerprint() == found[".jsonl"].fingerprint()


def test_decimals_of_32_bits_are_what_people_wrote(tmp_path):
    frame = pl.DataFrame({"item_id": ["a"], "price": pl.Series([9.99], dtype=pl.Float32)})
    assert Catalog.from_frame(frame).frame["price"].to_list() == [9.99]


HTML = "Caf&eacute; <b>Cup</b> &amp;quot;XL&amp;quot;"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_html_in_text_becomes_plain_is_counted_and_can_be_kept(tmp_path, suffix):
    frame = pl.DataFrame({"item_id": ["a&amp;b", "c"], "title": [HTML, "R&D"], "tags": [["x", "y &gt; z"], ["q"]]})
    write_table(frame, tmp_path / f"i{suffix}")
    found = Catalog.read(tmp_path / f"i{suffix}")
    assert found.frame.rows() == [("a&amp;b", 'Café Cup "XL"', ["x", "y > z"]), ("c", "R&D", ["q"])]
    problem = next(one for one in found.report.problems if one.kind == "html")
    assert problem.count == 2
    assert "field 'title': 'Café Cup \"XL\"'" in problem.examples[0]
    assert "--html keep" in problem.fix
    kept = Catalog.read(tmp_path / f"i{suffix}", html="keep")
    assert kept.frame["title"].to_list() == [HTML, "R&D"]
    assert kept.report.count("html") == 0
    with pytest.raises(ConfigError, match="plain or keep"):
        Catalog.read(tmp_path / f"i{suffix}", html="drop")


def test_titles_are_those_of_the_likeliest_column_which_is_named():
    items = {"item_id": ["1", "2"], "brand": ["Acme", "Bond"], "product_name": ["Cup", None]}
    found = catalog(**items)
    assert found.title_field == "product_name"
    assert found.titles() == ["Cup", "Bond"]
    assert "'product_name'" in found.report.lines()[0]
    assert "--title-column COLUMN" in found.report.problems[0].fix
    named = Catalog.from_frame(pl.DataFrame(items), title_column="brand")
    assert named.fields == ["title", "product_name"]
    assert named.titles() == ["Acme", "Bond"]
    assert named.report.lines() == []
    with pytest.raises(DataError, match=r"no column 'nom'(.|\n)*--title-column"):
        Catalog.from_frame(pl.DataFrame(items), title_column="nom")
    with pytest.raises(DataError, match="one column of titles"):
        Catalog.from_frame(pl.DataFrame({**items, "title": ["a", "b"]}), title_column="brand")


def test_signs_like_line_ends_do_not_confuse_duplicates(tmp_path):
    path = put(tmp_path / "i.csv", "item_id,title\na,red\u2028cup\na,red cup\nb,tea\nb,tea\nc,x\u2029\x85y\n")
    found = Catalog.read(path)
    assert found.frame["title"].to_list() == ["red\u2028cup", "tea", "x\u2029\x85y"]
    assert found.report.count("conflicting-items") == 1
    assert found.report.count("duplicate-items") == 1
    assert found.report.kept() == len(found)


@pytest.mark.parametrize("cell", ['["\\ud800", "x"]', "['\\ud800', 'x']", '{"k": "\\u0000"}', '[["a", "b\\udc00"]]'])
def test_signs_that_no_text_may_hold_in_json_inside_a_cell(tmp_path, cell):
    with (tmp_path / "i.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["item_id", "tags"], ["a", '["fine"]'], ["b", cell]])
    found = Catalog.read(tmp_path / "i.csv")
    assert "\ufffd" in "".join(found.frame["tags"].to_list()[1])
    assert found.report.count("replaced-signs") == 1
    assert found.report.problems[0].examples == ("line 3: field 'tags'",)


def test_nested_parquet_columns_of_any_depth_and_long_numbers():
    frame = pl.DataFrame(
        {
            "item_id": ["a"],
            "deep": [[[["x", "y"], ["z"]]]],
            "objects": [[[{"k": 1}]]],
            "array": pl.Series([[1.5, 2.5]], dtype=pl.Array(pl.Float64, 2)),
            "decimal": pl.Series(["1.50"]).cast(pl.Decimal(10, 2)),
        }
    )
    row = Catalog.from_frame(frame).frame.row(0, named=True)
    assert row["deep"] == ["x > y > z"]
    assert row["objects"] == ["k: 1"]
    assert row["array"] == ["1.5", "2.5"]
    assert row["decimal"] == 1.5
    long = catalog(item_id=["a"], n=["[0x" + "f" * 5000 + "]"])
    assert long.frame["n"].to_list()[0][0].startswith("0xfff")
    deep = "[" * 5000 + "]" * 5000
    assert catalog(item_id=["a"], n=[deep]).frame["n"].to_list() == [deep]


def test_nul_in_categories_and_nested_lists():
    frame = pl.DataFrame({"item_id": ["a\x00"], "kind": ["b\x00"], "paths": [[["x", "y\x00"]]]})
    found = Catalog.from_frame(frame.with_columns(pl.col("item_id", "kind").cast(pl.Categorical)))
    assert found.frame.row(0) == ("a\ufffd", "b\ufffd", ["x > y\ufffd"])
    assert found.report.count("replaced-signs") == 3


def test_fields_that_nothing_can_show_are_an_error():
    far = pl.Series("day", [2**31 - 1], dtype=pl.Int32).cast(pl.Date)
    with pytest.raises(DataError, match="field 'day' cannot be used"):
        Catalog.from_frame(pl.DataFrame([pl.Series("item_id", ["a"]), far]))


def test_decimal_commas_are_numbers_and_are_told(tmp_path):
    path = tmp_path / "items.csv"
    rows = ["a;45,80;1.299,50;1,299;7;3,5 cm", "b;;12,5;2,500;8;4 cm", "c;-3,1;7;1;9;5 cm"]
    path.write_text("item_id;price;old;stock;n;size\n" + "\n".join(rows) + "\n")
    catalog = Catalog.read(path)
    assert catalog.frame["price"].to_list() == [45.8, None, -3.1]
    assert catalog.frame["old"].to_list() == [1299.5, 12.5, 7.0]
    assert catalog.frame["stock"].to_list() == ["1,299", "2,500", "1"]  # thousands or decimals: nobody knows
    assert catalog.frame["n"].to_list() == [7, 8, 9]
    assert catalog.frame["size"].to_list() == ["3,5 cm", "4 cm", "5 cm"]
    [line] = [line for line in catalog.report.lines() if "decimal-commas" in line]
    assert "2 decimal-commas" in line
    assert "'45,80'" in line
