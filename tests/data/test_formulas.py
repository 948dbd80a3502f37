"""Texts that a spreadsheet would run are told, and written as they are."""

import polars as pl
import pytest

from genrec.data import read_table, write_table
from genrec.data.formulas import formula_note

TEXTS = ["=1+1", "+49 (0)30", "-2 for 1", "@home", "\t=1", "Cup", "-5", "+1,50", "a=b", None]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".jsonl"])
def test_formulas_are_told_for_text_tables_and_read_back_as_they_were(suffix, tmp_path, caplog):
    frame = pl.DataFrame({"item_id": [f"={n}" for n in range(10)], "title": TEXTS, "score": [-0.5] * 10})
    path = tmp_path / f"recs{suffix}"
    write_table(frame, path)
    back = read_table(path)
    assert back["item_id"].to_list() == frame["item_id"].to_list()
    assert back["title"].to_list() == TEXTS
    if "sv" not in suffix:
        assert not caplog.messages
        return
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(
        f"{path}: 15 texts (10 of item_id, such as '=0'; 5 of title, such as '=1+1') begin with =, +, - or @"
    )


def test_numbers_and_other_texts_are_no_formulas():
    assert (
        formula_note(pl.DataFrame({"a": ["-5", "+1e3", "-1,299.00", "a@b", "3-1", "", None], "b": [-1.0] * 7})) is None
    )
