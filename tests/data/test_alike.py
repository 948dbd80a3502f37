"""Ids that look alike stay what they are, and are told so that they can be told apart."""

import polars as pl
import pytest

from genrec.data import Catalog, Interactions
from genrec.data.alike import note_alike, note_case, told_apart
from genrec.data.check import check_tables
from genrec.data.report import DataReport
from genrec.index.additions import note_new_alike

NFC, NFD = "caf\u00e9", "cafe\u0301"


def found(report, kind="alike-ids"):
    return [(one.count, one.examples) for one in report.problems if one.kind == kind]


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (NFC, NFD, f"id '{NFC}' (U+00E9) and '{NFD}' (U+0065 U+0301)"),
        ("ab", "a\u200bb", r"id 'ab' and 'a\u200bb' (U+200B)"),
        ("ab", "\ufeffab", r"id 'ab' and '\ufeffab' (U+FEFF)"),
        ("a b", "a\u00a0b", r"id 'a b' (U+0020) and 'a\xa0b' (U+00A0)"),
        ("a b", "a  b", "id 'a b' and 'a  b'"),
        ("a\u00adb", "ab", r"id 'ab' and 'a\xadb' (U+00AD)"),
        ("\uac00", "\u1100\u1161", "id '\uac00' (U+AC00) and '\u1100\u1161' (U+1100 U+1161)"),
    ],
)
def test_what_nobody_sees_is_shown(first, second, shown):
    report = DataReport("items")
    note_alike(pl.Series([first, "x", second, None]), "id", report)
    assert found(report) == [(2, (shown,))]


@pytest.mark.parametrize(
    "ids", [["a", "b", "A"], ["\u00e9", "e", "\u4e00"], ["a-b", "a b", "ab"], ["1", "01"], ["\u200b", "x"], []]
)
def test_what_looks_different_is_not_told(ids):
    report = DataReport("items")
    note_alike(pl.Series(ids, dtype=pl.String), "id", report)
    assert not report.problems


def test_the_end_that_two_ids_share_is_not_shown():
    assert told_apart("x\u00e9z", "xe\u0301z")[0].endswith("(U+00E9)")
    assert told_apart("aa", "a\u200ba") == ("'aa'", r"'a\u200ba' (U+200B)")


def test_every_reader_tells_and_none_merges():
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": [NFC, NFD, "Cup", "cup"], "title": list("abcd")}))
    assert len(catalog) == 4
    assert found(catalog.report)[0][0] == 2
    assert "U+0301" in "\n".join(catalog.report.lines())
    rows = pl.DataFrame({"user_id": ["u\u200b", "u", "v"], "item_id": [NFC, NFD, NFC], "timestamp": [1, 2, 3]})
    table = Interactions.from_frame(rows)
    assert len(table.user_ids) == 3
    assert found(table.report)[0][0] == 4
    assert "user_id" in "\n".join(table.report.lines())


def test_upper_and_lower_case_is_told_by_the_check_alone(tmp_path):
    (tmp_path / "i.csv").write_text(f"item_id,title\nCup,a\ncup,b\n{NFC},c\n{NFD},d\n", encoding="utf-8")
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\nu,Cup,1\nU,cup,2\nw,cup,3\n", encoding="utf-8")
    problems = {(one.table, one.kind): one for one in check_tables(tmp_path / "i.csv", tmp_path / "x.csv").problems}
    assert problems["items", "ids-by-case"].examples == ("item_id 'Cup' and 'cup'",)
    assert problems["interactions", "ids-by-case"].examples == ("user_id 'u' and 'U'",)
    assert problems["items", "alike-ids"].count == 2
    assert not found(Catalog.read(tmp_path / "i.csv").report, "ids-by-case")
    report = DataReport("items")
    note_case(pl.Series(["a", "b"]), "id", report)
    assert not report.problems


def test_new_items_are_compared_with_those_of_the_index():
    index = Catalog.from_frame(pl.DataFrame({"item_id": [NFC, "a b", "a\u00a0b"], "title": list("abc")}))
    new = Catalog.from_frame(pl.DataFrame({"item_id": [NFD, "z"], "title": list("de")}))
    assert not found(new.report)
    note_new_alike(new, index)
    assert found(new.report) == [(2, (f"item_id '{NFC}' (U+00E9) and '{NFD}' (U+0065 U+0301)",))]


def test_long_numbers_that_a_spreadsheet_rounded_are_told():
    ids = ["1.23457E+12", "1,23458e+12", "4E+12", "12E+3", "1.5", "E+12", "1E5"]
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ids, "title": list("abcdefg")}))
    assert found(catalog.report, "rounded-ids") == [
        (3, ("item_id '1.23457E+12'", "item_id '1,23458e+12'", "item_id '4E+12'"))
    ]
    assert catalog.item_ids.tolist() == ids
    assert "rounded" in "\n".join(catalog.report.lines())
