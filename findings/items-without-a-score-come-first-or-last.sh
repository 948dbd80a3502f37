#!/usr/bin/env bash
# Sorted by score from large to small, the item without a score is the first in polars, daft and DataFusion, and the last in pandas, pyarrow
# and DuckDB.
#
# Guess beforehand: a missing score is worth less than any score, or nothing at all; a list of the best begins with the best.
# Found: polars puts missing values in front in both directions, in sort() and in its SQL; daft and DataFusion's SQL take them for the
# largest. top_k of polars leaves them to the end. DataFusion disagrees with itself: ORDER BY score DESC begins with them, and
# sort(col("score").sort(ascending=False)) of its data frames ends with them. With 5 items of 100 that have no score yet, a list of ten
# begins with the five.
# Why it matters: a left join of scores leaves items without a score: new ones, filtered ones, those of a failed shard. sort().head(10)
# recommends just them, to everybody. One pipeline that is moved from pandas or DuckDB changes its metric by half: precision is 0.5 where it
# was 1.0.
# Output seen:
#   unscored items in the list of ten: polars sort 5, polars SQL 5, daft 5, DataFusion SQL 5; polars top_k 0, DataFusion sort 0, pandas 0, pyarrow 0, DuckDB 0
# Usage: bash findings/items-without-a-score-come-first-or-last.sh   (installs polars==2.1.0 daft==0.7.26 datafusion==55.0.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==25.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 daft==0.7.26 datafusion==55.0.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==25.0.1 numpy==2.4.6
env/bin/python - <<'END'
import os

os.environ["DAFT_PROGRESS_BAR"] = "0"
import daft
import datafusion
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

rng = np.random.default_rng(0)
unscored = set(rng.choice(100, 5, replace=False).tolist())
rows = {"item": list(range(100)), "score": [None if n in unscored else float(rng.random()) for n in range(100)]}
table, frame = pa.table(rows), pl.DataFrame(rows)
session = datafusion.SessionContext()
session.from_arrow(table, name="scores")
order = datafusion.col("score").sort(ascending=False)
lists = {
    "polars sort": frame.sort("score", descending=True)["item"].to_list(),
    "polars SQL": frame.sql("SELECT item FROM self ORDER BY score DESC")["item"].to_list(),
    "daft": daft.from_pydict(rows).sort("score", desc=True).to_pydict()["item"],
    "DataFusion SQL": session.sql("SELECT item FROM scores ORDER BY score DESC").to_pydict()["item"],
    "polars top_k": frame.top_k(10, by="score")["item"].to_list(),
    "DataFusion sort": session.table("scores").sort(order).to_pydict()["item"],
    "pandas": pd.DataFrame(rows).sort_values("score", ascending=False)["item"].tolist(),
    "pyarrow": table.sort_by([("score", "descending")])["item"].to_pylist(),
    "DuckDB": [item for (item,) in duckdb.sql("SELECT item FROM table ORDER BY score DESC".replace("table", '"table"')).fetchall()],
}
counts = {name: len(unscored & set(found[:10])) for name, found in lists.items()}
words = [f"{name} {count}" for name, count in counts.items()]
print(f"unscored items in the list of ten: {', '.join(words[:4])}; {', '.join(words[4:])}")
assert list(counts.values()) == [5, 5, 5, 5, 0, 0, 0, 0, 0]
END
echo "as found: items-without-a-score-come-first-or-last"
