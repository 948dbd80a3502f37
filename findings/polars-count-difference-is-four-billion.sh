#!/usr/bin/env bash
# In polars, an item that fell from 4 sales to 1 gained 4,294,967,293.
#
# Guess beforehand: counts are 64-bit integers as in pandas and DuckDB, and 1 - 4 is -3.
# Found: len(), n_unique(), value_counts(), rank() and the sum of a condition give unsigned 32-bit numbers, and a difference below zero
# wraps around in silence. A trend by count this week minus count last week puts the item that lost most on top; so does a change of
# rank. pandas and DuckDB give -3. diff() of one column is right, as it casts first; cast(pl.Int64) before the minus is right.
# Why it matters: trends, popularity drift and "places won" are differences of counts and ranks. The top of the list is wrong and the
# rest of it is right, so that the list looks plausible from the second screen on.
# Output seen:
#   soap 1 -> 3, comb 4 -> 1: polars {'soap': 2, 'comb': 4294967293}, pandas {'soap': 2, 'comb': -3}, duckdb {'soap': 2, 'comb': -3}
#   ranks: polars {'soap': 1, 'comb': 4294967295}; by diff {'soap': 2, 'comb': -3}
# Usage: bash findings/polars-count-difference-is-four-billion.sh   (installs polars==2.1.0 pandas==3.1.1 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 pandas==3.1.1 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import polars as pl

sales = pl.DataFrame({"item": ["soap"] * 4 + ["comb"] * 5, "week": [1, 2, 2, 2, 1, 1, 1, 1, 2]})
counted = sales.group_by("item").agg(
    first=(pl.col("week") == 1).sum(), second=(pl.col("week") == 2).sum(), last=pl.col("week").filter(pl.col("week") == 2).len(), kinds=pl.col("week").n_unique()
)
counted = counted.sort("item", descending=True)
items = counted["item"].to_list()
by_polars = dict(zip(items, counted.select(pl.col("second") - pl.col("first")).to_series().to_list()))
frame = sales.to_pandas().groupby(["item", "week"]).size().unstack()
by_pandas = {item: int(frame.loc[item, 2] - frame.loc[item, 1]) for item in items}
query = "SELECT item, count(*) FILTER (week = 2) - count(*) FILTER (week = 1) FROM sales GROUP BY item ORDER BY item DESC"
by_duckdb = dict(duckdb.sql(query).fetchall())
ranked = counted.select(pl.col("first").rank("ordinal", descending=True) - pl.col("second").rank("ordinal", descending=True)).to_series()
by_rank = dict(zip(items, ranked.to_list()))
by_diff = dict(zip(items, (row[1] for row in counted.select(pl.concat_list("first", "second").list.diff()).to_series().to_list())))
print(f"soap 1 -> 3, comb 4 -> 1: polars {by_polars}, pandas {by_pandas}, duckdb {by_duckdb}")
print(f"ranks: polars {by_rank}; by diff {by_diff}")
unsigned = [counted["last"].dtype, counted["kinds"].dtype, sales["item"].value_counts()["count"].dtype, counted["first"].rank("ordinal").dtype]
assert set(unsigned) == {pl.UInt32} and max(by_polars, key=by_polars.get) == "comb"
assert by_polars == {"soap": 2, "comb": 2**32 - 3} and by_pandas == by_duckdb == by_diff == {"soap": 2, "comb": -3}
assert by_rank == {"soap": 1, "comb": 2**32 - 1}
END
echo "as found: polars-count-difference-is-four-billion"
