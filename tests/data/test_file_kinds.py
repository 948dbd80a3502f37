"""Files that are no table which is read: the message says what they are and what to do."""

import bz2
import gzip
import zipfile

import pytest

from genrec.data import Interactions
from genrec.errors import DataError

TABLE = b"user_id\titem_id\ttimestamp\nu\ta\t1\nu\tb\t2\n"


def archive(path, *names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("orders.txt", TABLE, "separated by tabs: rename it to orders.tsv."),
        ("orders.txt.gz", gzip.compress(TABLE), "separated by tabs: rename it to orders.tsv.gz."),
        ("orders.dat", TABLE.replace(b"\t", b";"), "commas or semicolons: rename it to orders.csv."),
        ("events.log", b'{"user_id": "u"}\n', "one JSON object a line: rename it to events.jsonl."),
        ("ratings.dat", b"1::2::5::978300760\n", "genrec data prepare movielens"),
        ("books.json.gz", gzip.compress(b'{"a": 1}\n{"a": 2}\n'), "rename it to books.jsonl.gz"),
        (
            "books.json.bz2",
            bz2.compress(b'[{"a": 1}]'),
            "Unpack it to books.json. Make one JSON object a line of it: jq",
        ),
        ("all.tar.gz", gzip.compress(b"x" * 9), "tar -xf all.tar.gz"),
        ("orders.parquet.gz", gzip.compress(b"PAR1"), "Unpack it first (gunzip); Parquet is packed already."),
        ("orders.parquet.zst", b"\x28\xb5\x2f\xfd", "Unpack it first (zstd -d); Parquet is packed already."),
        ("sheet.xlsx", b"PK\x03\x04", "Save the sheet as CSV"),
        ("sheet.ods", b"PK\x03\x04", "Save the sheet as CSV"),
        ("frame.feather", b"ARROW1", ".parquet or .csv"),
        ("shop.sqlite", b"SQLite format 3\x00", ".parquet or .csv"),
        ("orders.csv", gzip.compress(TABLE), "rename it to orders.csv.gz"),
        ("orders.csv", bz2.compress(TABLE), "rename it to orders.csv.bz2"),
        ("orders.csv", b"PAR1....PAR1", "rename it to orders.parquet"),
        ("orders.csv", b"\xd0\xcf\x11\xe0....", "Save the sheet as CSV"),
        ("orders.jsonl", b"{'user_id': 'u', 'item_id': 'a'}\n", "ast.literal_eval"),
    ],
)
def test_the_message_says_what_to_do(tmp_path, name, content, hint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as raised:
        Interactions.read(tmp_path / name)
    assert hint in raised.value.hint


@pytest.mark.parametrize(("names", "hint"), [(["xl/workbook.xml"], "Save the sheet"), (["a.csv"], "unzip orders.csv")])
def test_archives_and_workbooks_are_told_apart(tmp_path, names, hint):
    archive(tmp_path / "orders.csv", *names)
    with pytest.raises(DataError) as raised:
        Interactions.read(tmp_path / "orders.csv")
    assert hint in raised.value.hint


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"just words"])
def test_nothing_is_guessed_of_what_nobody_can_tell(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(DataError) as raised:
        Interactions.read(tmp_path / "x.bin")
    assert raised.value.hint is None
