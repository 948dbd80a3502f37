"""The Spark example: its function called as Spark calls it, and the whole of it by a local Spark."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from genrec.recommender import Recommender

PAGE = Path(__file__).resolve().parents[2] / "docs" / "batch.md"


def test_the_function_gives_every_user_the_items_that_the_recommender_gives(trained):
    pd = pytest.importorskip("pandas")
    code = re.search(r"def recommend\(frames\):.*?\n\n\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    scope = {"pd": pd}
    exec(code.replace("/shared/model", str(trained[1])), scope)
    histories = [["i001", "i007"], ["i002"], ["i003", "i009", "i015"]]
    frames = [  # Spark gives arrays of objects, and as many frames as it likes
        pd.DataFrame({"user_id": ["a", "b"], "items": [np.array(["i001", "gone", "i007"], dtype=object), ["i002"]]}),
        pd.DataFrame({"user_id": ["c"], "items": [histories[2]]}),
    ]
    made = pd.concat(scope["recommend"](iter(frames)))
    wanted = Recommender.from_pretrained(trained[1]).recommend(histories, k=10)
    assert made["user_id"].tolist() == ["a", "b", "c"]
    assert made["items"].tolist() == wanted.item_ids


@pytest.fixture
def spark(tmp_path, monkeypatch):
    """A Spark of this process, with room for two tasks."""
    session = pytest.importorskip(
        "pyspark.sql", reason="needs pyspark, which is no extra of genrec: pip install pyspark==4.3.0"
    ).SparkSession
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.chdir(tmp_path)
    made = (
        session.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "600m")
        .config("spark.sql.shuffle.partitions", "3")
        .config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
        .getOrCreate()
    )
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()


@pytest.mark.slow
def test_a_local_spark_runs_the_example_as_it_stands(trained, tables, spark, tmp_path):
    events = pl.read_csv(tables[1], infer_schema=False).with_columns(pl.col("timestamp").cast(pl.Int64))
    gone = pl.DataFrame({"user_id": ["u000"], "item_id": ["gone"], "timestamp": [1]})
    events = pl.concat([events, gone.select(events.columns)]).sample(fraction=1, shuffle=True, seed=0)
    code = re.search(r"## On Spark.*?```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    scope = {"interactions": spark.createDataFrame(events.rows(), events.columns), "__name__": "__main__"}
    exec(code.replace("/shared/model", str(trained[1])), scope)
    made = pl.read_parquet(tmp_path / "recs" / "*.parquet").sort("user_id")
    rows = events.filter(pl.col("item_id") != "gone").sort("timestamp", "item_id")
    wanted = rows.group_by("user_id", maintain_order=True).agg("item_id").sort("user_id")
    assert made["user_id"].to_list() == wanted["user_id"].to_list()
    lists = Recommender.from_pretrained(trained[1]).recommend(wanted["item_id"].to_list(), k=10)
    assert made["items"].to_list() == lists.item_ids
