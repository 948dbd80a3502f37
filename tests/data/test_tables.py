import csv
import gzip
import io
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genrec.data.delimited as delimited
from genrec.data import read_table, write_table
from genrec.data.delimited import parse_delimited
from genrec.data.jsonlines import parse_json_lines
from genrec.data.report import DataReport
from genrec.data.tables import read_rows, text_blocks
from genrec.errors import DataError

FRAME = pl.DataFrame({"item_id": ["007", "b"], "title": ['Tea, "green"\nleaf', "Übung"], "tags": [["x", 'y"'], []]})


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".jsonl.gz", ".parquet"])
def test_round_trip_keeps_lists(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(FRAME, path)
    assert read_table(path).equals(FRAME)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_round_trip_csv_writes_lists_as_json(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(FRAME, path)
    back = read_table(path)
    assert back["item_id"].to_list() == ["007", "b"]
    assert back["title"].to_list() == FRAME["title"].to_list()
    assert [json.loads(text) for text in back["tags"]] == [["x", 'y"'], []]


def test_gzip_bytes_are_deterministic(tmp_path):
    for name in ("a", "b"):
        write_table(FRAME, tmp_path / f"{name}.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_write_refuses_unknown_suffix_and_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="what kind of table"):
        write_table(FRAME, tmp_path / "t.xlsx")
    assert not list(tmp_path.iterdir())


def test_csv_broken_rows_are_left_out_with_line_numbers(tmp_path):
    path = put(tmp_path / "t.csv", "a,b,c\n1,2,3\n1,2\n\n4,5,6\n1,2,3,4\r\n7,,9\n")
    report = DataReport("t")
    frame, lines = read_rows(path, report)
    assert frame.rows() == [("1", "2", "3"), ("4", "5", "6"), ("7", None, "9")]
    assert report.count("broken-rows") == 2
    assert report.problems[0].examples == (
        "line 3: 2 fields where the header has 3",
        "line 6: 4 fields where the header has 3",
    )
    assert [lines.of(row) for row in range(3)] == ["line 2", "line 5", "line 7"]


def test_csv_quoted_line_ends_keep_line_numbers(tmp_path):
    path = put(tmp_path / "t.csv", 'a,b\n"x\ny","1,5"\n"z",2,3\nw,"say ""hi"""\n')
    report = DataReport("t")
    frame, lines = read_rows(path, report)
    assert frame.rows() == [("x\ny", "1,5"), ("w", 'say "hi"')]
    assert report.problems[0].examples == ("line 4: 3 fields where the header has 2",)
    assert lines.of(1) == "line 5"


def test_csv_stray_and_unclosed_quotes_cost_their_own_line_only(tmp_path):
    path = put(tmp_path / "t.csv", 'a,b\n5" pipe,1\n"open,2\nx,3\n"bad"tail,4\ny,5\n')
    report = DataReport("t")
    frame, _ = read_rows(path, report)
    assert frame.rows() == [('5" pipe', "1"), ("x", "3"), ("y", "5")]
    assert report.count("broken-rows") == 2
    assert report.problems[0].examples[0].startswith("line 3:")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_with_other_separator_is_read(tmp_path, separator):
    path = put(tmp_path / "t.csv", f"a{separator}b\n1{separator}2,5\n")
    assert read_table(path).rows() == [("1", "2,5")]


def test_csv_with_old_line_ends(tmp_path):
    assert read_table(put(tmp_path / "t.csv", "a,b\r1,2\r3,4\r")).rows() == [("1", "2"), ("3", "4")]


def test_csv_byte_order_mark_and_windows_line_ends(tmp_path):
    path = put(tmp_path / "t.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4")
    assert read_table(path).to_dict(as_series=False) == {"a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "file is empty"),
        ("t.csv", b"\n \n", "file is empty"),
        ("t.csv", b"a,b\n", "header but no rows"),
        ("t.csv", b"a,b\n1\n2\n", "No row has as many fields"),
        ("t.csv", b"a,a\n1,2\n", "column 'a' twice"),
        ("t.csv", b'a,b\nx,"open\n', "No row can be read .line 2: a quote that is not closed"),
        ("t.csv", b"a,b\n\x00\x01,2\n", "binary file"),
        ("t.csv", b"PK\x03\x04rest", "Excel workbook"),
        ("t.csv", b"PAR1rest", "parquet file"),
        ("t.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip file"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("t.csv", b"a,b\n1,2\ncaf\xe9,2\n", "not UTF-8"),
        ("t.csv.gz", b"a,b\n1,2\n", "gzip file is damaged"),
        ("t.csv.gz", b"", "file is empty"),
        ("t.parquet", b"", "file is empty"),
        ("t.parquet", b"a,b\n1,2\n", "not a parquet file"),
        ("t.parquet", b"PAR1 and then nothing", "damaged"),
        ("t.jsonl", b"", "file is empty"),
        ("t.jsonl", b'[{"a": 1}]', "one JSON array"),
        ("t.jsonl", b"a,b\n1,2\n", "No line can be read"),
        ("t.xlsx", b"PK", "what kind of table"),
        ("t.json", b"{}", "what kind of table"),
        ("t", b"a,b\n1,2\n", "what kind of table"),
    ],
)
def test_unreadable_files_give_one_clear_error(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(put(tmp_path / name, content))
    assert str(tmp_path / name) in str(caught.value)


def test_truncated_gzip(tmp_path):
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)
    with pytest.raises(DataError, match="gzip file is damaged"):
        read_table(put(tmp_path / "t.csv.gz", content[:30]))


def test_latin_1_names_the_line_and_the_way_out(tmp_path):
    with pytest.raises(DataError, match=r"line 3(.|\n)*iconv"):
        read_table(put(tmp_path / "t.csv", b"a,b\n1,2\ncaf\xe9,2\n"))


def test_missing_file_and_folder(tmp_path):
    put(tmp_path / "there.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"does not exist(.|\n)*there\.csv"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match="folder, not a table"):
        read_table(tmp_path / "d.csv")
    with pytest.raises(DataError, match="folder, not a table"):
        read_table(tmp_path)


def test_json_lines_broken_rows_are_left_out(tmp_path):
    path = put(tmp_path / "t.jsonl", '{"a": 1, "b": ["x"]}\n{"a":\n\n[1]\n{"a": 4}{"a": 5}\n{"a": 6, "c": NaN}\n')
    report = DataReport("t")
    frame, lines = read_rows(path, report)
    assert frame["a"].to_list() == [1, 6]
    assert frame["b"].to_list() == [["x"], None]
    assert report.count("broken-rows") == 3
    assert [text.split(":")[0] for text in report.problems[0].examples] == ["line 2", "line 4", "line 5"]
    assert lines.of(1) == "line 6"


def test_json_lines_mixed_types_and_objects(tmp_path):
    rows = [{"a": 1, "d": {"x": [1]}}, {"a": "0012", "d": None}, {"a": 76561198000000000001234, "d": {"y": "q"}}]
    path = put(tmp_path / "t.jsonl", "\n".join(json.dumps(row) for row in rows))
    frame = read_table(path)
    assert frame["a"].to_list() == ["1", "0012", "76561198000000000001234"]
    assert [text and json.loads(text) for text in frame["d"]] == [{"x": [1]}, None, {"y": "q"}]


def test_json_lines_broken_blocks_keep_line_numbers(monkeypatch):
    monkeypatch.setattr("genrec.data.jsonlines._BLOCK", 40)
    lines = [json.dumps({"n": n}) for n in range(100)]
    lines[57] = '{"n": '
    parsed = parse_json_lines("\n".join(lines).encode(), "t")
    assert parsed.frame["n"].to_list() == [n for n in range(100) if n != 57]
    assert parsed.examples[0].startswith("line 58:")
    assert parsed.lines.of(57) == "line 59"


def test_text_blocks_end_with_lines_and_join_to_the_whole(tmp_path):
    content = "".join(f"line {n} é\n" for n in range(500)) + "end"
    path = put(tmp_path / "t.jsonl", content)
    monkey_size = 100
    blocks = list(text_blocks(path, monkey_size))
    assert b"".join(blocks).decode() == content
    assert all(block.endswith(b"\n") for block in blocks[:-1])


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=8), st.integers(1, 40))
def test_csv_agrees_with_the_standard_library(rows, chunk):
    """Any table that Python's csv module writes: the rows of the right width come back, the others are counted."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([["a", "b"], *rows])
    expected = [row for row in rows if len(row) == 2]
    original = delimited._CHUNK
    delimited._CHUNK = chunk
    try:
        if not expected:
            with pytest.raises(DataError):
                parse_delimited(stream.getvalue().encode(), ",", "t")
            return
        parsed = parse_delimited(stream.getvalue().encode(), ",", "t")
    finally:
        delimited._CHUNK = original
    assert [tuple(value or "" for value in row) for row in parsed.frame.rows()] == [tuple(row) for row in expected]
    assert parsed.broken == len(rows) - len(expected)
