#!/usr/bin/env bash
# One folder of Parquet files, `store=007/`, has the number 7 in three readers and the text 007 in the fourth.
#
# Guess beforehand: a partition's name is text unless a schema says otherwise, or all readers guess alike.
# Found: pyarrow, pandas and polars make the integer 7 of it; DuckDB keeps '007'. So a join of the two, or an item table keyed
# '007', finds no partner, and no reader says that it guessed. A schema for the partition column is the way out.
# Why it matters: Spark and Ray write logs by day, shop or category in this form; shop and category ids have leading zeros.
# Output seen:
#   pyarrow [7, 10], pandas [7, 10], polars [7, 10], duckdb ['007', '010']
#   pyarrow with a schema ['007', '010']
# Usage: bash findings/hive-partitions-lose-leading-zeros.sh   (installs pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 pandas==3.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 pandas==3.0.1
env/bin/python - <<'END'
import os
import duckdb, pandas, polars, pyarrow as pa, pyarrow.dataset as ds, pyarrow.parquet as pq

for store in ("007", "010"):
    os.makedirs(f"log/store={store}")
    pq.write_table(pa.table({"user": [f"user of {store}"]}), f"log/store={store}/part.parquet")
found = {
    "pyarrow": ds.dataset("log", partitioning="hive").to_table()["store"].to_pylist(),
    "pandas": [int(value) for value in pandas.read_parquet("log")["store"]],
    "polars": polars.read_parquet("log/**/*.parquet", hive_partitioning=True)["store"].to_list(),
    "duckdb": [row[0] for row in duckdb.sql("select store from read_parquet('log/*/*.parquet', hive_partitioning=true) order by 1").fetchall()],
}
print(", ".join(f"{name} {values}" for name, values in found.items()))
text = ds.partitioning(pa.schema([("store", pa.string())]), flavor="hive")
named = ds.dataset("log", partitioning=text).to_table()["store"].to_pylist()
print("pyarrow with a schema", named)
assert all(sorted(found[name]) == [7, 10] for name in ("pyarrow", "pandas", "polars"))
assert found["duckdb"] == ["007", "010"] == sorted(named)
END
echo "as found: hive-partitions-lose-leading-zeros"
