#!/usr/bin/env bash
# pandas.read_parquet(filters=[("user", "==", 5)]) returns 10 rows of one user with pyarrow, and 2,500 rows of 250 users with fastparquet.
#
# Guess beforehand: a filter is a filter; the engine changes the speed and not the rows.
# Found: with fastparquet the filter skips groups of rows that cannot hold the user, and returns the others whole. The smaller the file
# and the larger its groups, the more comes back: with one group, the whole table. row_filter=True, an option that only fastparquet has,
# filters rows. pandas takes fastparquet by itself where pyarrow is not installed. (The pandas of today announces that it will drop it.)
# Why it matters: "the history of user 5" is then 250 histories, and a filter for a time before the test ends after it. Code that was
# tested with pyarrow leaks test rows into training on another machine.
# Output seen:
#   pyarrow: 10 rows of 1 user; fastparquet: 2500 rows of 250 users, with row_filter=True 10 rows
#   events before hour 100: pyarrow at most hour 99, fastparquet at most hour 249
# Usage: bash findings/fastparquet-filter-returns-other-users.sh   (installs fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd

log = pd.DataFrame({"user": np.repeat(np.arange(1000), 10), "item": np.tile(np.arange(10), 1000)})
log["hour"] = log["user"]
log.to_parquet("log.parquet", engine="pyarrow", row_group_size=2500)


def rows(engine: str, **settings) -> tuple[int, int]:
    part = pd.read_parquet("log.parquet", engine=engine, filters=[("user", "==", 5)], **settings)
    return len(part), part["user"].nunique()


def last(engine: str) -> int:
    return int(pd.read_parquet("log.parquet", engine=engine, filters=[("hour", "<", 100)])["hour"].max())


arrow, fast, exact = rows("pyarrow"), rows("fastparquet"), rows("fastparquet", row_filter=True)
print(f"pyarrow: {arrow[0]} rows of {arrow[1]} user; fastparquet: {fast[0]} rows of {fast[1]} users, with row_filter=True {exact[0]} rows")
print(f"events before hour 100: pyarrow at most hour {last('pyarrow')}, fastparquet at most hour {last('fastparquet')}")
assert arrow == exact == (10, 1) and fast == (2500, 250)
assert (last("pyarrow"), last("fastparquet")) == (99, 249)
END
echo "as found: fastparquet-filter-returns-other-users"
