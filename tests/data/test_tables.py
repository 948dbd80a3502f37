import csv
import errno
import gzip
import io
import json
import resource
import signal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genrec.data.delimited as delimited
from genrec.data import read_table, records, write_table
from genrec.data.delimited import parse_delimited
from genrec.data.jsonlines import parse_json_lines
from genrec.data.pieces import table_pieces
from genrec.data.report import DataReport
from genrec.data.tables import read_rows, text_blocks
from genrec.errors import ConfigError, DataError

FRAME = pl.DataFrame({"item_id": ["007", "b"], "title": ['Tea, "green"\nleaf', "Übung"], "tags": [["x", 'y"'], []]})


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.bz2", ".JSONL.XZ", ".parquet"])
def test_round_trip_keeps_lists(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(FRAME, path)
    assert read_table(path).equals(FRAME)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".csv.bz2", ".tsv.xz"])
def test_round_trip_csv_writes_lists_as_json(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_table(FRAME, path)
    back = read_table(path)
    assert back["item_id"].to_list() == ["007", "b"]
    assert back["title"].to_list() == FRAME["title"].to_list()
    assert [json.loads(text) for text in back["tags"]] == [["x", 'y"'], []]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_packed_bytes_are_deterministic(tmp_path, suffix):
    for name in ("a", "b"):
        write_table(FRAME, tmp_path / f"{name}.jsonl{suffix}")
    assert (tmp_path / f"a.jsonl{suffix}").read_bytes() == (tmp_path / f"b.jsonl{suffix}").read_bytes()


def zst(path, text):
    """A zstd file: only polars can write one here, as the csv file of a column whose name is the first line."""
    first, *lines = text.removesuffix("\n").split("\n")
    pl.DataFrame({first: lines}).write_csv(path, compression="zstd", quote_style="never", check_extension=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_zst_files_are_read_as_unpacked_ones(tmp_path, suffix):
    write_table(FRAME, plain := tmp_path / f"t{suffix}")
    packed = zst(tmp_path / f"t{suffix}.zst", plain.read_text())
    assert packed.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert read_table(packed).equals(read_table(plain))
    assert pl.concat(table_pieces(packed, ["item_id", "title"], DataReport("t"))).equals(
        pl.concat(table_pieces(plain, ["item_id", "title"], DataReport("t")))
    )


def test_long_zst_files_come_whole(tmp_path):
    rows = [f"{n},{n * 7919 % 1000003}" for n in range(300_000)]
    path = zst(tmp_path / "t.csv.zst", "\n".join(["a,b", *rows]) + "\n")
    assert read_table(path).equals(read_table(put(tmp_path / "t.csv", "\n".join(["a,b", *rows]))))
    content = path.read_bytes()
    with pytest.raises(DataError, match="zst file is damaged"):
        read_table(put(path, content[: len(content) // 2]))


def test_zst_files_are_not_written(tmp_path):
    with pytest.raises(DataError, match=r"read and not written(.|\n)*\.gz"):
        write_table(FRAME, tmp_path / "t.csv.zst")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".csv.gz"])
def test_a_full_disk_is_said_with_its_number_and_the_file(tmp_path, suffix):
    """A limit on the size of files stands in for the disk: polars says it without number and file."""
    path = tmp_path / f"t{suffix}"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = pl.DataFrame({"a": [str(hash(str(n))) for n in range(20_000)]})
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        with pytest.raises(OSError, match="too large") as caught:
            write_table(rows, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())
    if suffix != ".csv.gz":
        assert caught.value.filename == str(path)


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


BREAKS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"


@pytest.mark.parametrize("quotes", ["doubled", "backslash", "none"])
@pytest.mark.parametrize("stray", ["", '\nstray " quote,x'])
def test_only_line_feeds_end_a_line(stray, quotes):
    """Signs that some programs take for line ends are text: in the fast reader and in that for stray quotes."""
    text = "".join(f"\na{sign}b,{n}" for n, sign in enumerate(BREAKS))
    parsed = parse_delimited(f"t,n{stray}{text}".encode(), ",", "t", quotes=quotes)
    rows = parsed.frame.rows()[bool(stray) :]
    assert rows == [(f"a{sign}b", str(n)) for n, sign in enumerate(BREAKS)]
    assert parsed.broken == 0


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_signs_like_line_ends_come_back_from_every_kind_of_file(tmp_path, suffix):
    frame = pl.DataFrame({"item_id": list("abcdefgh"), "title": [f"red{sign}cup" for sign in BREAKS]})
    frame = frame.with_columns(tags=pl.concat_list("title", "item_id"))
    write_table(frame, tmp_path / f"t{suffix}")
    back = read_table(tmp_path / f"t{suffix}")
    assert back["title"].to_list() == frame["title"].to_list()
    tags = back["tags"].to_list()
    assert [json.loads(one) if isinstance(one, str) else one for one in tags] == frame["tags"].to_list()


@pytest.mark.parametrize(
    ("kind", "text", "quotes", "expected"),
    [
        (
            "tsv",
            'n\tt\n1\tplain\n2\t"Best" mug\n3\t7" screen\n4\t"open\n',
            "none",
            ["plain", '"Best" mug', '7" screen', '"open'],
        ),
        (
            "csv",
            'n,t\n1,"7\\" screen, big"\n2,"a \\\\ b"\n3,plain \\" x\n',
            "backslash",
            ['7" screen, big', "a \\ b", 'plain " x'],
        ),
        ("csv", 'n,t\n1,"7\\" screen\nnext"\n2,"C:\\new ""x"""\n', "backslash", ['7" screen\nnext', 'C:\\new "x"']),
    ],
)
def test_other_meanings_of_quotes_are_an_option_that_is_named(tmp_path, kind, text, quotes, expected):
    path = put(tmp_path / f"t.{kind}", text)
    assert read_table(path, quotes=quotes)["t"].to_list() == expected
    report = DataReport("t")
    try:
        lost = len(expected) - read_rows(path, report)[0].height
        named = report.problems[0].fix
    except DataError as error:
        lost, named = len(expected), error.hint
    assert f"{lost} more row{'s' * (lost > 1)} can be read: --quotes {quotes} (quotes='{quotes}' in Python)" in named
    with pytest.raises(ConfigError, match="doubled, backslash, none"):
        read_table(path, quotes="single")


def test_many_open_quotes_cost_their_own_lines_only():
    rows = "".join(f'{n},"open {n}\n{n},ok\n' for n in range(3000))
    parsed = parse_delimited(f'n,t\nx,5" pipe\n{rows}'.encode(), ",", "t")
    assert parsed.broken == 3000
    assert parsed.frame.height == 3001


def test_a_mark_that_stands_for_quotes_is_one_that_the_text_lacks():
    text = 'n,t\n1,"a \\" \ue000"\n'
    assert parse_delimited(text.encode(), ",", "t", quotes="backslash").frame["t"].to_list() == ['a " \ue000']


def test_csv_with_old_line_ends(tmp_path):
    assert read_table(put(tmp_path / "t.csv", "a,b\r1,2\r3,4\r")).rows() == [("1", "2"), ("3", "4")]


def test_csv_with_old_line_ends_and_line_feeds_inside_fields(tmp_path):
    path = put(tmp_path / "t.csv", 'a,b\r1,"x\ny"\r2,z\n3,w\r4,v\r\n')
    assert read_table(path).rows() == [("1", "x\ny"), ("2", "z"), ("3", "w"), ("4", "v")]


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
        ("t.csv", b"sep=,\na,b\n1,2\n", "note for spreadsheet programs"),
        ("t.csv", b'"sep=;"\r\na;b\r\n1;2\r\n', "'sep=;', is a note"),
        ("t.tsv", b"sep=\t\na\tb\n1\t2\n", "note for spreadsheet programs"),
        ("t.csv", b'a,b\nx,"open\n', "No row can be read .line 2: a quote that is not closed"),
        ("t.csv", b"a,b\n\x00\x01,2\n", "binary file"),
        ("t.csv", b"PK\x03\x04rest", "Excel workbook"),
        ("t.csv", b"PAR1rest", "parquet file"),
        ("t.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip file"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("t.csv", b"a,b\n1,2\ncaf\xe9,2\n", "not UTF-8"),
        ("t.csv.gz", b"a,b\n1,2\n", "gzip file is damaged"),
        ("t.csv.gz", b"", "file is empty"),
        ("t.csv.bz2", b"a,b\n1,2\n", "bz2 file is damaged"),
        ("t.csv.xz", b"a,b\n1,2\n", "xz file is damaged"),
        ("t.csv.zst", b"a,b\n1,2\n", "zst file is damaged"),
        ("t.csv.zst", b"", "file is empty"),
        ("t.csv", b"\x28\xb5\x2f\xfdrest", "a zstd file, not a text table"),
        ("t.csv.zip", b"PK\x03\x04rest", "what kind of table(.|\n)*unzip"),
        ("t.csv.lz4", b"rest", "what kind of table(.|\n)*lz4"),
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


def test_of_a_key_that_stands_twice_the_last_value_counts_and_is_told(tmp_path):
    lines = [
        '{"item_id": "a", "title": "red", "title": "blue", "n": {"title": 1}}',
        '{"item_id": "b", "title": null}',
        '{"item_id": "c", "text": "a \\"title\\": twice, \\"title\\": really", "title": "tea"}',
        '{"item_id":"d","title":"old","title":null}',
        '{"item_id": "e", "title": "x", "n": {"title": 2, "title": 3}}',
    ]
    for broken in ("", "no json\n"):
        path = put(tmp_path / "t.jsonl", broken + "\n".join(lines) + "\n")
        report, first = DataReport("t"), bool(broken) + 1
        frame, _ = read_rows(path, report)
        assert frame["title"].to_list() == ["blue", None, "tea", None, "x"]
        found = next(one for one in report.problems if one.kind == "repeated-keys")
        assert found.count == 3
        assert found.examples == tuple(f"line {first + n}: 'title' twice" for n in (0, 3, 4))
        report = DataReport("t")
        pieces = pl.concat(table_pieces(path, ["item_id", "title"], report))
        assert pieces["title"].to_list() == frame["title"].to_list()
        assert next(one for one in report.problems if one.kind == "repeated-keys").count == 3


PAIRS = st.tuples(st.sampled_from(["a", "b", 'q"', "ü"]), st.sampled_from(["x", 'y":', "null", None, 1.5]))


@given(st.lists(st.lists(PAIRS, min_size=1), min_size=1, max_size=6), st.booleans())
def test_repeated_keys_are_found_exactly_as_a_slow_reader_finds_them(rows, ascii_only):
    written = [[f"{json.dumps(k, ensure_ascii=ascii_only)}: {json.dumps(v)}" for k, v in pairs] for pairs in rows]
    lines = ["{" + ",".join(pairs) + "}" for pairs in written]
    parsed = parse_json_lines("\n".join(lines).encode(), "t")
    assert parsed.repeated == sum(len({key for key, _ in pairs}) < len(pairs) for pairs in rows)
    for number, pairs in enumerate(rows):
        for key, value in dict(pairs).items():
            found = parsed.frame[key][number]
            assert (None if found is None else str(found)) == (None if value is None else str(value))


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


HALVES = [
    (r"A \ud83d end", "A \ufffd end"),
    (r"\udc00", "\ufffd"),
    (r"\ud83d\ud83d\ude00", "\ufffd😀"),
    (r"nul \u0000", "nul \ufffd"),
]


@pytest.mark.parametrize("rest", ["", '{"a": "broken\n', '{"a": "x", "f": NaN}\n'])
def test_signs_that_no_text_may_hold_are_replaced_and_counted(tmp_path, rest):
    rows = [
        '{"a": "fine \\ud83d\\ude00 \\\\ud83d"}',
        *(f'{{"a": "{written}", "b": ["{written}"]}}' for written, _ in HALVES),
    ]
    path = put(tmp_path / "t.jsonl", rest + "\n".join(rows))
    report = DataReport("t")
    frame, _ = read_rows(path, report)
    found = frame.tail(5)
    assert found["a"].to_list() == ["fine 😀 \\ud83d", *(text for _, text in HALVES)]
    assert found["b"].to_list() == [None, *([text] for _, text in HALVES)]
    assert report.count("replaced-signs") == 2 * len(HALVES)
    assert f"line {2 + bool(rest)}:" in report.problems[-1].examples[0]
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet"):
        write_table(frame, tmp_path / f"again{suffix}")
        assert read_table(tmp_path / f"again{suffix}")["a"].to_list() == frame["a"].to_list()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_nul_is_replaced_in_every_kind_of_file(tmp_path, suffix):
    path, report = tmp_path / f"t{suffix}", DataReport("t")
    write_table(pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["red\x00cup", "tea", "\x00"]}), path)
    frame, _ = read_rows(path, report)
    assert frame["title"].to_list() == ["red\ufffdcup", "tea", "\ufffd"]
    assert report.count("replaced-signs") == 2
    assert "title holds NUL" in report.problems[0].examples[0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl.gz", ".parquet"])
def test_paths_that_are_not_utf_8(tmp_path, suffix):
    path = tmp_path / f"t\udcff\x1b{suffix}"
    write_table(FRAME.select("item_id", "title"), path)
    assert read_table(path).equals(FRAME.select("item_id", "title"))
    assert sum(piece.height for piece in table_pieces(path, ["item_id"], DataReport("t"))) == 2


def test_utf_16_without_a_mark_is_no_text(tmp_path):
    with pytest.raises(DataError, match="binary file"):
        read_table(put(tmp_path / "t.csv", "a,b\n1,2\n".encode("utf-16-le")))


def test_a_list_in_one_line_and_text_in_another(tmp_path):
    rows = [{"c": "home"}, {"c": ["home", "tea"]}, {"c": None}, {"c": "[no json]"}, {"n": {"t": ["x"]}, "t": "[text]"}]
    frame = read_table(put(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows))))
    assert frame["c"].to_list() == [["home"], ["home", "tea"], None, ["[no json]"], None]
    assert frame["t"].to_list() == [None, None, None, None, "[text]"]
    mixed = put(tmp_path / "m.jsonl", '{"c": [1, "x"]}\n{"c": 2}\n{"c": 2.0}\n{"c": true}\n')
    assert read_table(mixed)["c"].to_list() == [["1", "x"], ["2"], ["2"], ["true"]]


def test_json_integers_keep_every_digit_beside_decimals(tmp_path):
    text = '{"a": 9007199254740993, "p": 1.5}\n{"a": 1e3, "p": 2}\n{"a": 9007199254740992, "p": 0.1}\n'
    for rest in ("", '{"a": 5, "p": NaN}\n'):
        frame = read_table(put(tmp_path / "t.jsonl", text + rest))
        assert frame["a"].to_list()[:3] == ["9007199254740993", "1000", "9007199254740992"]
        assert frame["p"].to_list()[:3] == [1.5, 2.0, 0.1]


@pytest.mark.parametrize("deep", ['{"a": ' + "[" * 50_000 + "]" * 50_000 + "}", '{"a": ' * 3000 + "1" + "}" * 3000])
def test_json_nested_too_deeply_is_a_broken_row(tmp_path, deep):
    report = DataReport("t")
    frame, _ = read_rows(put(tmp_path / "t.jsonl", f'{{"a": "[[["}}\n{deep}\n{{"a": "x"}}\n'), report)
    assert frame["a"].to_list() == ["[[[", "x"]
    assert report.problems[0].examples == ("line 2: nested too deeply",)


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
    original = records._CHUNK
    records._CHUNK = chunk
    try:
        if not expected:
            with pytest.raises(DataError):
                parse_delimited(stream.getvalue().encode(), ",", "t")
            return
        parsed = parse_delimited(stream.getvalue().encode(), ",", "t")
    finally:
        records._CHUNK = original
    assert [tuple(value or "" for value in row) for row in parsed.frame.rows()] == [tuple(row) for row in expected]
    assert parsed.broken == len(rows) - len(expected)


pieces = st.sampled_from(["a", "é", ",", "\n", "\r\n", "\r", '"', "", "1"])


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.sampled_from(["a,b\n", "a,b,c\n", "a\n", "a,b"]), st.lists(pieces, max_size=30), st.booleans(), st.integers(1, 9)
)
def test_even_lines_are_found_by_counting_signs(header, signs, quotes, chunk):
    data = (header + "".join(signs)).encode()
    found = records.scan(data, ord(","), quotes)
    fields = found.separators + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_CHUNK", chunk)
        even = records.is_even(data, b",", quotes)
    if even:
        assert not found.irregular
        assert not found.quoted
        assert not found.blank.any()
        assert (fields == fields[0]).all()
    elif len(fields) > 1 and fields[0] > 1 and not found.quoted and b"\r" not in data[: data.find(b"\n") - 1]:
        assert not (fields == fields[0]).all()


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("quotes", ["doubled", "none"])
def test_even_lines_are_read_as_other_lines(monkeypatch, end, quotes):
    text = "user,item,time\nA,,1\r\n,é,2\n" + "x,y z,3\n" * 5 + f"u,'v',4{end}"
    fast = parse_delimited(text.encode(), ",", "here", quotes=quotes)
    monkeypatch.setattr(delimited, "is_even", lambda *_: False)
    slow = parse_delimited(text.encode(), ",", "here", quotes=quotes)
    assert fast.frame.equals(slow.frame)
    assert fast.frame.height == 8
    assert fast.lines.examples([0, 7]) == slow.lines.examples([0, 7])
    assert (fast.broken, fast.examples, fast.header) == (slow.broken, slow.examples, slow.header)
