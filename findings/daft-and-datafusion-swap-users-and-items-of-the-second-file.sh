#!/usr/bin/env bash
# Two CSV files, one with the columns user,item and one with item,user: daft and DataFusion read the items of the second as users. DuckDB
# and pyarrow do not.
# 
# Guess beforehand: a file with a header is read by the names in it, or the second file is refused, as its header is another one.
# Found: daft and DataFusion take the names from the first file and read the second by position: users 1, 2, 300 and 400. Nothing is said,
# as both columns are whole numbers. DuckDB and pyarrow give users 1, 2, 3 and 4; polars refuses the second file.
# Why it matters: exports of several days or several shops differ in the order of their columns. Half of the log becomes users that do not
# exist, who bought items that are users, and every count of rows is right. Read file by file and put the tables together by name.
# Output seen:
#   daft        users [1, 2, 300, 400], items [100, 200, 3, 4]
#   datafusion  users [1, 2, 300, 400], items [100, 200, 3, 4]
#   duckdb      users [1, 2, 3, 4], items [100, 200, 300, 400]
#   pyarrow     users [1, 2, 3, 4], items [100, 200, 300, 400]
#   polars      refused: ComputeError
# Usage: bash findings/daft-and-datafusion-swap-users-and-items-of-the-second-file.sh   (installs daft==0.7.26 datafusion==55.0.0 duckdb==2.0.1 pyarrow==25.0.1 polars==2.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check daft==0.7.26 datafusion==55.0.0 duckdb==2.0.1 pyarrow==25.0.1 polars==2.1.0
env/bin/python - <<'END'
import pathlib

import daft
import datafusion
import duckdb
import polars
import pyarrow.dataset

pathlib.Path("log").mkdir()
pathlib.Path("log/day1.csv").write_text("user,item\n1,100\n2,200\n")
pathlib.Path("log/day2.csv").write_text("item,user\n300,3\n400,4\n")
context = datafusion.SessionContext()
context.register_csv("log", "log/")
readers = {
    "daft": lambda: daft.read_csv("log/*.csv").to_pydict(),
    "datafusion": lambda: context.sql("SELECT * FROM log").to_pydict(),
    "duckdb": lambda: duckdb.sql("SELECT * FROM 'log/*.csv'").to_arrow_table().to_pydict(),
    "pyarrow": lambda: pyarrow.dataset.dataset("log", format="csv").to_table().to_pydict(),
    "polars": lambda: polars.read_csv("log/*.csv").to_dict(as_series=False),
}
seen = {}
for name, read in readers.items():
    try:
        table = read()
        rows = sorted(zip(table["user"], table["item"]), key=lambda row: row[0] + row[1])
        seen[name] = [row[0] for row in rows]
        print(f"{name:11} users {seen[name]}, items {[row[1] for row in rows]}")
    except polars.exceptions.PolarsError as error:
        seen[name] = type(error).__name__
        print(f"{name:11} refused: {seen[name]}")
assert seen["daft"] == seen["datafusion"] == [1, 2, 300, 400]
assert seen["duckdb"] == seen["pyarrow"] == [1, 2, 3, 4] and seen["polars"] == "ComputeError"
END
echo "as found: daft-and-datafusion-swap-users-and-items-of-the-second-file"
