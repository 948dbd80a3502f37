#!/usr/bin/env bash
# Seven days begin on a Thursday in polars, pyarrow, pandas, NumPy and DataFusion, and on a Monday in DuckDB, while a week begins on a
# Monday in all but two.
#
# Guess beforehand: "7d" and "1w" are the same length, and so the same cut, in whichever table.
# Found: a length in days is counted from 1970-01-01, a Thursday; a week from the Monday. DuckDB's time_bucket counts from a Monday for
# both. NumPy's datetime64[W] is a week, but from Thursday on. ClickHouse's toStartOfWeek is a week from Sunday on. So one event of a Sunday
# lies in blocks that begin on three different days. Resampling by "7D" in pandas begins at the first event of the table, so that a day more
# of data moves all blocks.
# Why it matters: "the last full week is the test" is a cut by one of these. In a log of equal days, two cuts share four of seven days, or
# six; users and items of the test differ between the notebook and the warehouse, and a model that was trained up to the cut of one has seen
# three days of the other's test.
# Output seen:
#   block of Sunday 2024-03-10 begins on: polars 1w Monday, polars 7d Thursday, pyarrow week Monday, pyarrow 7 days Thursday, pandas 7D Thursday, NumPy W Thursday, DataFusion week Monday, DataFusion 7 days Thursday, DuckDB week Monday, DuckDB 7 days Monday, ClickHouse week Sunday
#   share of the test days of the week to come that lie before the cut of another: polars 7d against 1w 3 of 7
# Usage: bash findings/seven-days-begin-on-thursday.sh   (installs polars==2.1.0 pyarrow==25.0.1 pandas==3.1.1 datafusion==55.0.0 duckdb==2.0.1 chdb==4.4.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==25.0.1 pandas==3.1.1 datafusion==55.0.0 duckdb==2.0.1 chdb==4.4.0 numpy==2.4.6
env/bin/python - <<'END'
from datetime import datetime, timedelta

import chdb
import datafusion
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

event = datetime(2024, 3, 10, 12)
column, array, session = pl.Series([event]), pa.array([event]), datafusion.SessionContext()
text = "2024-03-10T12:00:00"


def sql(expression: str) -> datetime:
    return duckdb.sql(f"SELECT {expression}").fetchall()[0][0]


def fusion(expression: str) -> datetime:
    return next(iter(session.sql(f"SELECT {expression} AS begin").to_pydict()["begin"]))


begins = {
    "polars 1w": column.dt.truncate("1w")[0],
    "polars 7d": column.dt.truncate("7d")[0],
    "pyarrow week": pc.floor_temporal(array, unit="week")[0].as_py(),
    "pyarrow 7 days": pc.floor_temporal(array, multiple=7, unit="day")[0].as_py(),
    "pandas 7D": pd.Timestamp(event).floor("7D"),
    "NumPy W": pd.Timestamp(np.datetime64("2024-03-10").astype("datetime64[W]").astype("datetime64[D]")),
    "DataFusion week": fusion(f"date_trunc('week', timestamp '{text}')"),
    "DataFusion 7 days": fusion(f"date_bin(interval '7 days', timestamp '{text}')"),
    "DuckDB week": sql(f"date_trunc('week', timestamp '{text}')"),
    "DuckDB 7 days": sql(f"time_bucket(interval '7 days', timestamp '{text}')"),
    "ClickHouse week": datetime.fromisoformat(str(chdb.query("SELECT toStartOfWeek(toDate('2024-03-10'))", "TSV")).strip()),
}
names = {name: f"{begin:%A}" for name, begin in begins.items()}
days = [datetime(2024, 3, 14) + timedelta(days=n) for n in range(7)]  # a block of polars' "7d"
before = sum(day < pl.Series([days[-1]]).dt.truncate("1w")[0] for day in days)
wide = 7 - before
print("block of Sunday 2024-03-10 begins on: " + ", ".join(f"{name} {day}" for name, day in names.items()))
print(f"share of the test days of the week to come that lie before the cut of another: polars 7d against 1w {min(before, wide)} of 7")
thursday = {"polars 7d", "pyarrow 7 days", "pandas 7D", "NumPy W", "DataFusion 7 days"}
assert all(day == ("Thursday" if name in thursday else "Sunday" if name.startswith("Click") else "Monday") for name, day in names.items())
assert before == 4
END
echo "as found: seven-days-begin-on-thursday"
