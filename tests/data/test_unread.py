"""Paths and frames in the place of what is read from them: one error that says how."""

from pathlib import Path

import polars as pl
import pytest

import genrec
from genrec.errors import DataError, GenRecError
from genrec.sharding import JobSettings, run_sharded

TABLE = pl.DataFrame({"item_id": ["a"], "title": ["tea"]})


@pytest.mark.parametrize("given", ["items.csv", Path("items.csv"), TABLE])
def test_a_path_or_a_table_says_how_it_is_read(given, tiny_index):
    with pytest.raises(DataError, match=r"catalog(.|\n)*genrec\.Catalog\.read"):
        genrec.SemanticIndex.build(given, "auto")
    with pytest.raises(DataError, match=r"interactions(.|\n)*genrec\.Interactions\.read"):
        genrec.train(tiny_index, given, "demo", out="nowhere")
    with pytest.raises(DataError, match=r"index(.|\n)*genrec\.SemanticIndex\.load"):
        genrec.train(given, given, "demo", out="nowhere")


def test_histories_of_a_batch_job_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="The file does not exist"):
        run_sharded(JobSettings("runs/model"), tmp_path / "histories.parquet", tmp_path / "recs")
    assert not (tmp_path / "recs").exists()


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda index: genrec.SemanticIndex.build(None, "auto"), r"This is None(.|\n)*catalog(.|\n)*Catalog\.read"),
        (lambda index: genrec.SemanticIndex.build(genrec.Catalog.from_frame(TABLE), 3), r"This is an int(.|\n)*recipe"),
        (lambda index: genrec.train(None, index, "demo", out="x"), r"This is None(.|\n)*index(.|\n)*SemanticIndex"),
        (
            lambda index: genrec.train(index, [["a"]], "demo", out="x"),
            r"This is a list(.|\n)*Interactions or Histories",
        ),
        (lambda index: genrec.Catalog.read(TABLE), r"This is a polars\.DataFrame(.|\n)*from_frame"),
        (lambda index: genrec.Interactions.read(None), r"This is None(.|\n)*path of a table"),
        (lambda index: genrec.Catalog.from_frame(TABLE.lazy()), r"LazyFrame(.|\n)*frame\.collect\(\)"),
        (lambda index: genrec.Catalog.from_frame({"item_id": ["a"]}), r"This is a dict(.|\n)*polars\.DataFrame\("),
        (lambda index: genrec.Interactions.from_frame("a.csv"), r"This is a str(.|\n)*Give the path to read"),
        (lambda index: genrec.load(None), r"given by NoneType(.|\n)*a folder"),
        (lambda index: index.save(3), r"given by int(.|\n)*a path"),
    ],
)
def test_what_is_of_another_kind_is_one_error(run, words, tiny_index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GenRecError, match=words):
        run(tiny_index)
    assert not list(tmp_path.iterdir())


def test_frames_of_pandas_say_how_they_become_tables():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"pandas\.DataFrame(.|\n)*polars\.from_pandas"):
        genrec.Catalog.from_frame(pandas.DataFrame({"item_id": ["a"], "title": ["x"]}))


def test_a_table_is_no_list_of_histories(trained):
    with pytest.raises(DataError, match=r"polars\.DataFrame(.|\n)*Interactions\.from_frame\(table\)\.histories"):
        trained[0].recommend(pl.DataFrame({"user_id": ["u"], "item_id": ["i001"]}))


def test_recipes_and_presets_may_be_paths(tmp_path):
    recipe = tmp_path / "own.yaml"
    text = (Path(genrec.__file__).parent.parent / "tokenizers" / "rq-kmeans-3x256.yaml").read_text()
    recipe.write_text(text.replace("codebook_size: 256", "codebook_size: 4"))
    table = pl.DataFrame({"item_id": list("abcdef"), "title": ["tea", "cup", "pot", "mug", "tray", "jar"]})
    index = genrec.SemanticIndex.build(genrec.Catalog.from_frame(table), recipe)
    assert index.recipe.name == "own"
