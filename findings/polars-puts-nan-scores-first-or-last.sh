#!/usr/bin/env bash
# polars recommends the item whose score is NaN first with top_k, and never with max.
#
# Guess beforehand: a NaN counts alike in all functions of a library: always the largest, or always left out.
# Found: sort, rank and top_k put NaN above all numbers; max and arg_max take the largest number. So the head of the sorted table
# and the row at arg_max are two items. In DuckDB, NaN is the largest everywhere; in pyarrow, nowhere (select_k leaves it last).
# Why it matters: a diverged model or a cosine of an empty text (0 / 0) gives NaN to few items. These are then recommended to
# everybody by one line of a pipeline, while its check of the best score, one line further, sees nothing.
# Output seen:
#   polars: top_k pear, sort pear, arg_max comb, max 2.0, first by rank pear; duckdb: order pear, arg_max pear; pyarrow: select_k comb, max 2.0
# Usage: bash findings/polars-puts-nan-scores-first-or-last.sh   (installs polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

table = pl.DataFrame({"item": ["soap", "pear", "comb"], "score": [1.0, float("nan"), 2.0]})
scores = table["score"]
found = {
    "top_k": table.top_k(1, by="score")["item"][0],
    "sort": table.sort("score", descending=True)["item"][0],
    "arg_max": table["item"][scores.arg_max()],
    "max": scores.max(),
    "first by rank": table["item"][scores.rank(descending=True).to_list().index(1.0)],
}
rows = table.rows()
connection = duckdb.connect()
connection.execute("CREATE TABLE scored (item VARCHAR, score DOUBLE)")
connection.executemany("INSERT INTO scored VALUES (?, ?)", rows)
order = connection.sql("SELECT item FROM scored ORDER BY score DESC").fetchall()[0][0]
largest = connection.sql("SELECT arg_max(item, score) FROM scored").fetchall()[0][0]
arrow = pa.array(scores.to_list())
chosen = table["item"][pc.select_k_unstable(arrow, 1, sort_keys=[("score", "descending")])[0].as_py()]
print("polars:", ", ".join(f"{name} {value}" for name, value in found.items()), end="; ")
print(f"duckdb: order {order}, arg_max {largest}; pyarrow: select_k {chosen}, max {pc.max(arrow).as_py()}")
assert list(found.values()) == ["pear", "pear", "comb", 2.0, "pear"]
assert order == largest == "pear" and chosen == "comb" and pc.max(arrow).as_py() == 2.0
END
echo "as found: polars-puts-nan-scores-first-or-last"
