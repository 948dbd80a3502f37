"""A table in pieces is the same table: rows, places, and what is wrong with them."""

import csv
import io
import json

import numpy as np
import polars as pl
import pytest

import genrec.data.pieces as pieces
from genrec.data import write_table
from genrec.data.pieces import table_pieces
from genrec.data.report import DataReport
from genrec.data.tables import read_rows
from genrec.errors import DataError

NAMES = ["user_id", "item_id", "timestamp"]


def rows(n=60):
    rng = np.random.default_rng(0)
    odd = ["a,b", 'say "hi"', "two\nlines", "x\u2028y", "\x00", "", "plain"]
    return [(f"u{rng.integers(9)}", f"{odd[rng.integers(7)]}{n}", str(1_600_000_000 + n), "more") for n in range(n)]


def text_table(kind, broken):
    if kind == "jsonl":
        lines = [json.dumps(dict(zip([*NAMES, "more"], row, strict=True))) for row in rows()]
        for at in broken:
            lines[at] = '{"user_id": '
        return "\n".join(lines) + "\n"
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t" if kind == "tsv" else ",", lineterminator="\n")
    writer.writerow([*NAMES, 'a "more"\ncolumn'])
    for n, row in enumerate(rows()):
        writer.writerow(row[:2] if n in broken else row)
    return stream.getvalue()


@pytest.fixture(params=[50, 300, 1 << 24])
def block(request, monkeypatch):
    monkeypatch.setattr(pieces, "BLOCK", request.param)
    monkeypatch.setattr("genrec.data.tables._CHUNK", request.param // 2)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("broken", [(), (0, 17, 18, 19, 59)])
def test_pieces_are_the_whole_table(kind, broken, block, tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "_ROWS", 7)
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        write_table(pl.DataFrame(rows(), schema=[*NAMES, "more"], orient="row"), path)
    else:
        path.write_text(text_table(kind, broken), encoding="utf-8", newline="")
    whole, found = DataReport("t"), DataReport("t")
    expected, _ = read_rows(path, whole)
    read = pl.concat(table_pieces(path, NAMES, found))
    assert read.equals(expected.select(NAMES))
    assert found.rows == whole.rows
    for kind_of_problem in ("broken-rows", "replaced-signs"):
        assert found.count(kind_of_problem) == whole.count(kind_of_problem)
    if broken and kind == "jsonl":  # csv rows of several lines make other numbers of the same places
        places = [{one.kind: [e.split(":")[0] for e in one.examples] for one in r.problems} for r in (found, whole)]
        assert places[0] == places[1]


@pytest.mark.parametrize("quotes", ["backslash", "none"])
def test_other_meanings_of_quotes(quotes, block, tmp_path):
    if quotes == "none":
        lines = [f'u{n}\t"Best" i{n}\t{n}' for n in range(50)]
    else:
        lines = [f'u{n},"7\\" screen,\ni{n}",{n}' for n in range(50)]
    path = tmp_path / ("t.tsv" if quotes == "none" else "t.csv")
    path.write_text(("\t" if quotes == "none" else ",").join(NAMES) + "\n" + "\n".join(lines))
    report = DataReport("t")
    read = pl.concat(table_pieces(path, NAMES, report, quotes=quotes))
    expected = ['"Best" i{}' if quotes == "none" else '7" screen,\ni{}'][0]
    assert read["item_id"].to_list() == [expected.format(n) for n in range(50)]
    assert report.rows == {"t": 50}
    assert report.problems == []


def test_ids_and_times_of_any_type_are_text_and_others_are_refused(tmp_path):
    frame = pl.DataFrame({"user_id": [1.0, 2.0], "item_id": [7, 8], "timestamp": [9007199254740993, 5]})
    write_table(frame, tmp_path / "t.parquet")
    read = pl.concat(table_pieces(tmp_path / "t.parquet", NAMES, DataReport("t")))
    assert read.rows() == [("1", "7", "9007199254740993"), ("2", "8", "5")]
    write_table(frame.with_columns(item_id=pl.concat_list("item_id")), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="holds a list"):
        list(table_pieces(tmp_path / "t.parquet", NAMES, DataReport("t")))


def test_moments_that_cannot_be_written_are_refused(tmp_path):
    far = pl.Series("timestamp", [2**31 - 1], dtype=pl.Int32).cast(pl.Date)
    pl.DataFrame([pl.Series("user_id", ["u"]), pl.Series("item_id", ["a"]), far]).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="'timestamp' cannot be read"):
        list(table_pieces(tmp_path / "t.parquet", NAMES, DataReport("t")))


def test_line_numbers_go_on_from_piece_to_piece(monkeypatch, tmp_path):
    monkeypatch.setattr(pieces, "BLOCK", 40)
    monkeypatch.setattr("genrec.data.tables._CHUNK", 20)
    lines = [f"u{n},i{n},{n}" for n in range(40)]
    lines[30] = "u,i"
    (tmp_path / "t.csv").write_text("\n".join([",".join(NAMES), *lines]))
    report = DataReport("t")
    assert sum(piece.height for piece in table_pieces(tmp_path / "t.csv", NAMES, report)) == 39
    assert report.problems[0].examples == ("line 32: 2 fields where the header has 3",)
