"""Paths and frames in the place of what is read from them: one error that says how."""

from pathlib import Path

import polars as pl
import pytest

import genrec
from genrec.errors import DataError
from genrec.sharding import JobSettings, run_sharded

TABLE = pl.DataFrame({"item_id": ["a"], "title": ["tea"]})


@pytest.mark.parametrize("given", ["items.csv", Path("items.csv"), TABLE])
def test_a_path_or_a_table_says_how_it_is_read(given):
    with pytest.raises(DataError, match=r"catalog(.|\n)*genrec\.Catalog\.read"):
        genrec.SemanticIndex.build(given, "auto")
    with pytest.raises(DataError, match=r"interactions(.|\n)*genrec\.Interactions\.read"):
        genrec.train(object(), given, "demo", out="nowhere")
    with pytest.raises(DataError, match=r"index(.|\n)*genrec\.SemanticIndex\.load"):
        genrec.train(given, given, "demo", out="nowhere")


def test_histories_of_a_batch_job_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="The file does not exist"):
        run_sharded(JobSettings("runs/model"), tmp_path / "histories.parquet", tmp_path / "recs")
    assert not (tmp_path / "recs").exists()
