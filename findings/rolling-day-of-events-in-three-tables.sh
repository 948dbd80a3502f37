#!/usr/bin/env bash
# What a user spent in the day up to each event is 1, 3, 4 in pandas, 3, 3, 4 in polars and 3, 3, 7 in DuckDB.
#
# Guess beforehand: a window of a day is a window of a day; the three differ at most at its far end.
# Found: amounts 1 and 2 at one time, and 4 one day later. pandas counts rows of the same time in the order of the table, so that an event
# sees what stands above it. polars and DuckDB count all rows of the time, also those below. The event a day before is out for pandas and
# polars (the window is open at its far end) and in for DuckDB's RANGE. polars with closed="both" is DuckDB's, pandas with closed="both"
# is neither.
# Why it matters: "spent in the last day" is a feature of almost every ranker, and logs in whole days or seconds have many rows of one
# time. In polars and DuckDB the first item of a basket then knows the rest of the basket, which in training is the label.
# Output seen:
#   pandas [1, 3, 4], polars [3, 3, 4], DuckDB [3, 3, 7]; closed="both": pandas [1, 3, 7], polars [3, 3, 7]
# Usage: bash findings/rolling-day-of-events-in-three-tables.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import duckdb
import pandas as pd
import polars as pl

log = pd.DataFrame({"time": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02"]), "spent": [1, 2, 4]})
table = pl.from_pandas(log)


def whole(values: object) -> list[int]:
    return [int(value) for value in values]


ours = {
    "pandas": whole(log.rolling("1D", on="time")["spent"].sum()),
    "polars": whole(table.select(pl.col("spent").rolling_sum_by("time", "1d"))["spent"]),
    "DuckDB": whole(
        row[0]
        for row in duckdb.sql("SELECT sum(spent) OVER (ORDER BY time RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW) FROM log").fetchall()
    ),
}
both = {
    "pandas": whole(log.rolling("1D", on="time", closed="both")["spent"].sum()),
    "polars": whole(table.select(pl.col("spent").rolling_sum_by("time", "1d", closed="both"))["spent"]),
}
print(", ".join(f"{name} {sums}" for name, sums in ours.items()) + '; closed="both": ' + ", ".join(f"{name} {sums}" for name, sums in both.items()))
assert ours == {"pandas": [1, 3, 4], "polars": [3, 3, 4], "DuckDB": [3, 3, 7]} and both == {"pandas": [1, 3, 7], "polars": [3, 3, 7]}
END
echo "as found: rolling-day-of-events-in-three-tables"
