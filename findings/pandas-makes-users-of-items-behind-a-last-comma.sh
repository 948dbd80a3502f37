#!/usr/bin/env bash
# If each line of a file ends with a comma, pandas takes the items for users and the ratings for items.
#
# Guess beforehand: the last comma makes a fourth column without a name, or an error, as one title is missing.
# Found: a row with one value more than there are titles has row labels, pandas decides, and the first column is those. user holds the
# items, item the ratings, and rating is empty. Only if every line has the comma, the titles not. pyarrow and polars raise; DuckDB leaves
# the empty column away and reads the rest as it is. index_col=False makes pandas do the same. Nothing is warned of.
# Why it matters: exports of databases and of spreadsheets write such lines. User and item are both numbers, so all that follows runs: the
# matrix is that of items and stars, the model recommends stars to items. With one column less to look at, nobody sees it.
# Output seen:
#   user, item, rating of the first line 1,10,5, : pandas 10 5 nan, with index_col=False 1 10 5, DuckDB 1 10 5; polars and pyarrow raise True
#   users of 1,000 events by 50 users of 200 items: pandas 200, DuckDB 50
# Usage: bash findings/pandas-makes-users-of-items-behind-a-last-comma.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

Path("small.csv").write_text("user,item,rating\n1,10,5,\n2,20,4,\n")
Path("log.csv").write_text("user,item,rating\n" + "".join(f"{n % 50},{1000 + n % 200},{1 + n % 5},\n" for n in range(1000)))
first = {
    "pandas": pd.read_csv("small.csv").iloc[0].tolist(),
    "with index_col=False": pd.read_csv("small.csv", index_col=False).iloc[0].tolist(),
    "DuckDB": list(duckdb.sql("SELECT * FROM 'small.csv'").fetchall()[0]),
}
raised = []
for read, kind in ((pl.read_csv, pl.exceptions.ComputeError), (arrow_csv.read_csv, pa.ArrowInvalid)):
    try:
        read("small.csv")
        raised.append(False)
    except kind:
        raised.append(True)
users = pd.read_csv("log.csv")["user"].nunique(), duckdb.sql("SELECT count(DISTINCT \"user\") FROM 'log.csv'").fetchall()[0][0]
rows = ", ".join(f"{name} {' '.join(f'{value:.0f}' for value in row)}" for name, row in first.items())
print(f"user, item, rating of the first line 1,10,5, : {rows}; polars and pyarrow raise {all(raised)}")
print(f"users of 1,000 events by 50 users of 200 items: pandas {users[0]}, DuckDB {users[1]}")
assert first["pandas"][:2] == [10, 5] and pd.isna(first["pandas"][2]) and all(raised) and users == (200, 50)
assert first["with index_col=False"] == first["DuckDB"] == [1, 10, 5]
END
echo "as found: pandas-makes-users-of-items-behind-a-last-comma"
