#!/usr/bin/env bash
# ibis's collect() gives a user three items and two ratings, on DuckDB, whose own list() gives three and three.
#
# Guess beforehand: collect gathers the rows of a group into a list; two columns of one group give lists of equal length.
# Found: collect leaves missing values out unless include_null=True is given, column by column. Items a, b, c with ratings 5, none, 3
# become [a, b, c] and [5, 3]: the second rating now stands beside item b. ibis does the same on polars, whose own agg, like DuckDB's
# list, keeps all three. A list of one column is right; only two side by side show it, and only for users with a missing value.
# Why it matters: histories are gathered as lists of items, ratings, times and prices that are read in step. Everything behind the first
# missing value moves to another item, and zip() over the two cuts the last events off.
# Output seen:
#   ibis on duckdb: ['a', 'b', 'c'] [5.0, 3.0]; ibis on polars: ['a', 'b', 'c'] [5.0, 3.0]; with include_null: ['a', 'b', 'c'] [5.0, None, 3.0]
#   duckdb itself: ['a', 'b', 'c'] [5.0, None, 3.0]; polars itself: ['a', 'b', 'c'] [5.0, None, 3.0]
# Usage: bash findings/ibis-collect-shortens-the-ratings.sh   (installs ibis-framework==12.0.0 duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 pandas==3.1.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check "ibis-framework[duckdb,polars]==12.0.0" duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 pandas==3.1.1
env/bin/python - <<'END'
import duckdb
import ibis
import polars as pl

log = pl.DataFrame({"user": [1, 1, 1], "item": ["a", "b", "c"], "rating": [5.0, None, 3.0], "time": [1, 2, 3]})


def collected(table, **settings) -> tuple[list, list]:
    query = table.group_by("user").agg(**{name: table[name].collect(order_by=table.time, **settings) for name in ("item", "rating")})
    return tuple(query.to_pyarrow().select(["item", "rating"]).to_pylist()[0].values())


on_duckdb = ibis.duckdb.connect().create_table("log", ibis.memtable(log))
on_polars = ibis.polars.connect({"log": log.lazy()}).table("log")
whole = ["a", "b", "c"], [5.0, None, 3.0]
first, second, kept = collected(on_duckdb), collected(on_polars), collected(on_duckdb, include_null=True)
print(f"ibis on duckdb: {first[0]} {first[1]}; ibis on polars: {second[0]} {second[1]}; with include_null: {kept[0]} {kept[1]}")
events = log.to_arrow()
own = duckdb.sql("SELECT list(item ORDER BY time), list(rating ORDER BY time) FROM events GROUP BY user").fetchall()[0]
frame = log.sort("time").group_by("user").agg("item", "rating").row(0)[1:]
print(f"duckdb itself: {own[0]} {own[1]}; polars itself: {frame[0]} {frame[1]}")
assert first == second == (["a", "b", "c"], [5.0, 3.0])
assert kept == own == frame == whole
END
echo "as found: ibis-collect-shortens-the-ratings"
