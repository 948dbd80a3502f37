#!/usr/bin/env bash
# The "last event" of a user, as pandas, DuckDB's arg_max and pyarrow give it, is a row that never existed.
#
# Guess beforehand: the last row of each group, with its missing values; three engines mean the same by "last".
# Found: a user bought a book with five stars and then a comb without a rating. pandas' groupby().last(), arg_max(rating, time) in DuckDB and
# "last" in pyarrow skip missing values column by column: the comb has five stars. last() in polars and DuckDB's last() give the comb
# without a rating; so do tail(1), nth(-1) and last(skipna=False) in pandas, and arg_max_null in DuckDB.
# Why it matters: leave-one-out takes the last event of each user. The test item is right, but its rating, price or brand is that of
# an earlier item: the item's target leaks from the training part, and a threshold on the rating keeps items that nobody rated.
# Output seen:
#   pandas comb 5.0, arg_max comb 5.0, pyarrow comb 5.0; polars comb None, DuckDB's last comb None, tail comb nan, arg_max_null comb None
# Usage: bash findings/last-event-that-never-was.sh   (installs pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

log = pa.table({"user": [1, 1], "time": [1, 2], "item": ["book", "comb"], "rating": [5.0, None]})
frame = log.to_pandas()


def sql(item: str, rating: str) -> tuple:
    return duckdb.sql(f"SELECT {item}, {rating} FROM (SELECT * FROM log ORDER BY time) GROUP BY user").fetchall()[0]


grouped = log.group_by("user", use_threads=False).aggregate([("item", "last"), ("rating", "last")])
mixed = {
    "pandas": tuple(frame.groupby("user")[["item", "rating"]].last().iloc[0]),
    "arg_max": sql("arg_max(item, time)", "arg_max(rating, time)"),
    "pyarrow": (grouped["item_last"][0].as_py(), grouped["rating_last"][0].as_py()),
}
whole = {
    "polars": pl.from_arrow(log).group_by("user").last().select("item", "rating").row(0),
    "DuckDB's last": sql("last(item)", "last(rating)"),
    "tail": tuple(frame.groupby("user").tail(1)[["item", "rating"]].iloc[0]),
    "arg_max_null": sql("arg_max_null(item, time)", "arg_max_null(rating, time)"),
}
print("; ".join(", ".join(f"{name} {item} {rating}" for name, (item, rating) in found.items()) for found in (mixed, whole)))
assert all(row == ("comb", 5.0) for row in mixed.values())
assert all(item == "comb" and pd.isna(rating) for item, rating in whole.values())
assert frame.groupby("user")["rating"].last(skipna=False).isna().all() and frame.groupby("user")["rating"].nth(-1).isna().all()
END
echo "as found: last-event-that-never-was"
