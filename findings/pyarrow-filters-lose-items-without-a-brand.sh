#!/usr/bin/env bash
# In a Parquet filter of pyarrow, "!= x" loses the items without a brand and "not in [x]" keeps them.
#
# Guess beforehand: both say the same about a null, whichever way.
# Found: ("brand", "!=", "x") gives the items of other brands; ("brand", "not in", ["x"]) gives these and the items that have no brand. So adding a
# second brand to the list of those to leave out adds items to the result. DuckDB and polars leave nulls out in both forms.
# Why it matters: "all but our own brand", "not the categories of the user's last purchase" are such filters, and many products have no
# brand. The catalogue that is served, or the one that metrics are computed for, changes with the way of writing.
# Output seen:
#   pyarrow != [3], pyarrow not in [2, 3]; duckdb [3] and [3]; polars [3] and [3]; pyarrow, two brands out [2]
# Usage: bash findings/pyarrow-filters-lose-items-without-a-brand.sh   (installs pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

pq.write_table(pa.table({"item": [1, 2, 3], "brand": ["x", None, "y"]}), "items.parquet")


def arrow(*rule: object) -> list[int]:
    return pq.read_table("items.parquet", filters=[rule])["item"].to_pylist()


def duck(rule: str) -> list[int]:
    return [row[0] for row in duckdb.sql(f"SELECT item FROM 'items.parquet' WHERE {rule}").fetchall()]


def frame(rule: pl.Expr) -> list[int]:
    return pl.scan_parquet("items.parquet").filter(rule).collect()["item"].to_list()


unequal, outside, two = arrow("brand", "!=", "x"), arrow("brand", "not in", ["x"]), arrow("brand", "not in", ["x", "y"])
sql = duck("brand != 'x'"), duck("brand NOT IN ('x')")
lazy = frame(pl.col("brand") != "x"), frame(~pl.col("brand").is_in(["x"]))
print(f"pyarrow != {unequal}, pyarrow not in {outside}; duckdb {sql[0]} and {sql[1]}; polars {lazy[0]} and {lazy[1]};", end=" ")
print(f"pyarrow, two brands out {two}")
assert unequal == [3] and outside == [2, 3] and two == [2] and sql == lazy == ([3], [3])
END
echo "as found: pyarrow-filters-lose-items-without-a-brand"
