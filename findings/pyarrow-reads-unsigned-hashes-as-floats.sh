#!/usr/bin/env bash
# pyarrow reads user ids that are unsigned 64-bit hashes as floats, so that neighbours become one user.
#
# Guess beforehand: integers that do not fit into int64 are kept as uint64, or the reader says that they do not fit.
# Found: pyarrow's readers of CSV and of JSON lines fall back to float64, which holds such numbers in steps of 2,048. Two users are one
# afterwards; both print as 1.4e+19. pandas, polars and DuckDB read the same two files exactly. uint64 in column_types (or in a schema) helps.
# Why it matters: xxhash and some databases give unsigned 64-bit ids, half of which do not fit into int64. A file of which some
# ids do not fit is float from the first to the last row, so also the small ids have changed their type, and joins find nothing.
# Output seen:
#   different users of 2: pyarrow csv 1, pyarrow json 1, pandas csv 2, polars csv 2, polars json 2, duckdb csv 2, duckdb json 2
#   type: double; with column_types 2
# Usage: bash findings/pyarrow-reads-unsigned-hashes-as-floats.sh   (installs pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

ids = [14_000_000_000_000_000_001, 14_000_000_000_000_000_002]
Path("log.csv").write_text("user,item\n" + "".join(f"{one},comb\n" for one in ids))
Path("log.jsonl").write_text("".join(f'{{"user": {one}, "item": "comb"}}\n' for one in ids))
arrow = pa.csv.read_csv("log.csv")["user"]
found = {
    "pyarrow csv": arrow.to_pylist(),
    "pyarrow json": pa.json.read_json("log.jsonl")["user"].to_pylist(),
    "pandas csv": pd.read_csv("log.csv")["user"].tolist(),
    "polars csv": pl.read_csv("log.csv")["user"].to_list(),
    "polars json": pl.read_ndjson("log.jsonl")["user"].to_list(),
    "duckdb csv": [row[0] for row in duckdb.sql("SELECT user FROM 'log.csv'").fetchall()],
    "duckdb json": [row[0] for row in duckdb.sql("SELECT user FROM 'log.jsonl'").fetchall()],
}
counts = {name: len(set(values)) for name, values in found.items()}
typed = pa.csv.read_csv("log.csv", convert_options=pa.csv.ConvertOptions(column_types={"user": pa.uint64()}))["user"].to_pylist()
print("different users of 2:", ", ".join(f"{name} {count}" for name, count in counts.items()))
print(f"type: {arrow.type}; with column_types {len(set(typed))}")
assert [name for name, count in counts.items() if count == 1] == ["pyarrow csv", "pyarrow json"]
assert all(set(values) == set(ids) for name, values in found.items() if "pyarrow" not in name) and typed == ids
END
echo "as found: pyarrow-reads-unsigned-hashes-as-floats"
