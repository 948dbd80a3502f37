#!/usr/bin/env bash
# A table that pyarrow wrote in 12 files comes back from pyarrow, polars, DuckDB and pandas with file 10 before file 2.
#
# Guess beforehand: what write_dataset writes in order, dataset() reads in order; a table is the same after the round trip.
# Found: files are named part-0 to part-11, without leading zeros, and all four readers take them in the order of the alphabet. Row 200
# is row 1,000 of the table that was written. Up to ten files, all is well. basename_template takes no width; a name with zeros (or
# sorting by a column that numbers the rows) is the way out.
# Why it matters: vectors in Parquet are matched with a list of items by row number, and codes by row are what an index holds. A small
# catalogue passes every test; with the eleventh file, nearly all items get the vectors of others, of the right shape and scale.
# Output seen:
#   10 files: pyarrow True, polars True, duckdb True, pandas True; 12 files: pyarrow False, polars False, duckdb False, pandas False
#   row 200 of 12 files: 1000
# Usage: bash findings/parquet-parts-come-back-two-after-ten.sh   (installs pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

found = {}
for files in (10, 12):
    rows = np.arange(100 * files)
    ds.write_dataset(pa.table({"row": rows}), f"of{files}", format="parquet", max_rows_per_file=100, max_rows_per_group=100)
    assert len(ds.dataset(f"of{files}").files) == files
    read = {
        "pyarrow": ds.dataset(f"of{files}").to_table()["row"].to_numpy(),
        "polars": pl.read_parquet(f"of{files}/*.parquet")["row"].to_numpy(),
        "duckdb": duckdb.sql(f"SELECT row FROM 'of{files}/*.parquet'").to_arrow_table()["row"].to_numpy(),
        "pandas": pd.read_parquet(f"of{files}")["row"].to_numpy(),
    }
    assert all(sorted(values) == rows.tolist() for values in read.values())
    found[files] = {name: bool((values == rows).all()) for name, values in read.items()}
    last = {int(values[200]) for values in read.values()}
told = [f"{files} files: " + ", ".join(f"{name} {same}" for name, same in one.items()) for files, one in found.items()]
print("; ".join(told))
print("row 200 of 12 files:", *last)
assert all(found[10].values()) and not any(found[12].values()) and last == {1000}
END
echo "as found: parquet-parts-come-back-two-after-ten"
