import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data import Histories, Interactions, columns
from genrec.data.columns import factorize, positions_of
from genrec.data.likely_columns import nearest_column
from genrec.data.pieces import table_pieces
from genrec.data.report import DataReport
from genrec.data.tables import write_table
from genrec.errors import DataError


@pytest.mark.parametrize(
    ("columns", "name", "near"),
    [
        (["User ID", "x"], "user_id", "User ID"),
        (["uid", "asin", "when"], "item_id", "asin"),
        (["reviewerID", "asin"], "user_id", "reviewerID"),
        (["unixReviewTime"], "timestamp", "unixReviewTime"),
        (["timestmp"], "timestamp", "timestmp"),
        (["rating", "comment"], "timestamp", None),
    ],
)
def test_nearest_column(columns, name, near):
    assert nearest_column(columns, name) == near


@pytest.mark.parametrize("hashes", [lambda s: s.str.len_bytes().cast(pl.UInt64), lambda s: s.hash() * 0])
def test_values_with_one_hash_stay_apart(monkeypatch, hashes):
    given_ids = pl.Series("id", ["b", "a", None, "b", "ab", "", "a"], dtype=pl.String)
    monkeypatch.setattr(columns, "_hashes", hashes)
    codes, unique = factorize(given_ids)
    assert codes.tolist() == [0, 1, -1, 0, 2, 3, 1]
    assert unique.to_list() == ["b", "a", "ab", ""]


@pytest.mark.parametrize("smallest", [2, 1 << 16])
def test_many_ids_are_numbered_by_a_table_as_few_are(monkeypatch, smallest):
    drawn = np.random.default_rng(0).integers(0, 700, 2000)
    ids = pl.Series("id", [None if n == 3 else f"item {n}" for n in drawn])
    plain, distinct = factorize(ids)
    monkeypatch.setattr(columns, "_MANY", 0)
    monkeypatch.setattr("genrec.data.numbering._SMALLEST", smallest)
    codes, unique = factorize(ids)
    assert unique.to_list() == distinct.to_list()
    assert codes.tolist() == plain.tolist()
    assert codes.dtype == np.int32


@settings(deadline=None, derandomize=True)
@given(st.lists(st.none() | st.text(max_size=2)))
def test_factorize_numbers_values_by_first_appearance(values):
    codes, unique = factorize(pl.Series("x", values, dtype=pl.String))
    expected = list(dict.fromkeys(value for value in values if value is not None))
    assert unique.to_list() == expected
    assert codes.tolist() == [-1 if value is None else expected.index(value) for value in values]
    assert codes.dtype == np.int32


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=1)), st.lists(st.text(max_size=1), unique=True))
def test_positions_agree_with_index(ids, known):
    expected = [known.index(name) if name in known else -1 for name in ids]
    assert positions_of(ids, pl.Series(known, dtype=pl.String)).tolist() == expected


def test_the_data_modules_do_not_import_torch():
    code = "import sys, genrec.data, genrec.data.raw; sys.exit(any(m in sys.modules for m in ('torch', 'sklearn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ids_of_a_program_may_hold_halves_of_surrogate_pairs():
    known = pl.Series(["a\ufffd", "b"])
    assert positions_of(["a\ud800", "b", "\udc00", 3], known).tolist() == [0, 1, -1, -1]
    rows = pl.DataFrame({"user_id": ["u"], "item_id": ["b"]})
    assert Interactions.from_frame(rows).histories(["b", "\ud800"]).items.tolist() == [0]
    assert Histories.from_lists([[0]], ["\ud800"]).user_ids.tolist() == ["\ufffd"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_one_column_is_not_two_things(ending, tmp_path):
    path = tmp_path / f"log.{ending}"
    write_table(pl.DataFrame({"a": ["x", "y"], "b": ["1", "2"]}), path)
    for names in ({"item_column": "a", "time_column": None}, {"item_column": "b", "time_column": "b"}):
        with pytest.raises(DataError, match="is named twice"):
            Interactions.read(path, user_column="a", **names)
    with pytest.raises(DataError, match="'a' is named twice"):
        list(table_pieces(path, ["a", "a"], DataReport("t")))
