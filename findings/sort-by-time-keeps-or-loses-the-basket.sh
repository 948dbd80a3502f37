#!/usr/bin/env bash
# Sorted by time, a log in pandas loses the order of one second, and keeps it when user is a second key. In polars it is the other way round.
#
# Guess beforehand: rows of equal time stay in the order of the file, in all four engines; or in none.
# Found: of 2,000 rows with 20 different times, ties keep the order of the file in pandas with two keys but not with one, in polars with
# one key but not with two, in pyarrow with both, in DuckDB with neither. numpy.argsort loses it as well. kind="stable" (pandas, NumPy)
# and maintain_order=True (polars) keep it.
# Why it matters: logs have whole seconds or days, and a basket has one time. What a history says came last, and so what is held out, is
# decided by the number of sort keys and by the engine, not by the log.
# Output seen:
#   order of the file kept with one key and with two: pandas False True, polars True False, pyarrow True True, duckdb False False
#   numpy False; asked for it: pandas True, polars True, numpy True
# Usage: bash findings/sort-by-time-keeps-or-loses-the-basket.sh   (installs pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

times = np.repeat(np.arange(20)[::-1], 100)
log = pa.table({"user": np.ones(2000, np.int64), "time": times, "row": np.arange(2000)})
frame, table = log.to_pandas(), pl.from_arrow(log)
duckdb.sql("SET threads = 1")


def kept(rows) -> bool:
    rows = np.asarray(rows)
    assert (np.diff(times[rows]) >= 0).all()
    return all((np.diff(rows[times[rows] == time]) > 0).all() for time in range(20))


one, two = ["time"], ["user", "time"]
found = {
    "pandas": [kept(frame.sort_values(keys)["row"]) for keys in ("time", two)],
    "polars": [kept(table.sort(keys)["row"]) for keys in (one, two)],
    "pyarrow": [kept(log.sort_by([(key, "ascending") for key in keys])["row"]) for keys in (one, two)],
    "duckdb": [kept([row[0] for row in duckdb.sql(f"SELECT row FROM log ORDER BY {', '.join(keys)}").fetchall()]) for keys in (one, two)],
}
in_numpy = kept(np.argsort(times))
asked = {
    "pandas": kept(frame.sort_values("time", kind="stable")["row"]),
    "polars": kept(table.sort(two, maintain_order=True)["row"]),
    "numpy": kept(np.argsort(times, kind="stable")),
}
print("order of the file kept with one key and with two: " + ", ".join(f"{name} {a} {b}" for name, (a, b) in found.items()))
print(f"numpy {in_numpy}; asked for it: " + ", ".join(f"{name} {a}" for name, a in asked.items()))
assert found == {"pandas": [False, True], "polars": [True, False], "pyarrow": [True, True], "duckdb": [False, False]}
assert not in_numpy and all(asked.values())
END
echo "as found: sort-by-time-keeps-or-loses-the-basket"
