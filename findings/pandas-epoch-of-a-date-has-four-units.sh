#!/usr/bin/env bash
# In pandas 3, the same moment as an integer is in seconds, milli-, micro- or nanoseconds, by the way in which it came into the table.
#
# Guess beforehand: astype("int64") of a datetime column gives nanoseconds, as it has for ten years; // 10**9 gives seconds.
# Found: a column keeps the unit of its source. Texts, read_csv and integers with unit="s" give microseconds, floats with unit="s"
# nanoseconds, an array of NumPy's datetime64[s] seconds, Parquet the unit of its file. After // 10**9, the same second is 1704067200,
# 1704067, 1704 or 1. The integer of a single Timestamp (.value) is nanoseconds in each case. Subtracting 1970 and asking for
# total_seconds() is right.
# Why it matters: astype("int64") // 10**9 is how dates become the timestamps of RecBole and of most scripts. Order is kept, so nothing
# fails; but gaps of time, sessions of 30 minutes and time buckets are 1,000 times too short, and two sources of one log do not share a
# scale.
# Output seen:
#   // 10**9: texts 1704067, integers 1704067, floats 1704067200, numpy seconds 1, Parquet in ms 1704, Parquet in ns 1704067200
#   total_seconds: 1704067200 for all six
# Usage: bash findings/pandas-epoch-of-a-date-has-four-units.sh   (installs pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

second = 1704067200
for unit, size in (("ms", 10**3), ("ns", 10**9)):
    pq.write_table(pa.table({"time": pa.array([second * size], pa.timestamp(unit))}), f"{unit}.parquet")
columns = {
    "texts": pd.Series(pd.to_datetime(["2024-01-01 00:00:00"])),
    "integers": pd.Series(pd.to_datetime([second], unit="s")),
    "floats": pd.Series(pd.to_datetime([second + 0.5], unit="s")),
    "numpy seconds": pd.Series(np.array([second], "datetime64[s]")),
    "Parquet in ms": pd.read_parquet("ms.parquet")["time"],
    "Parquet in ns": pd.read_parquet("ns.parquet")["time"],
}
cut = {name: int(column.astype("int64")[0] // 10**9) for name, column in columns.items()}
right = {name: int((column[0] - pd.Timestamp("1970-01-01")).total_seconds()) for name, column in columns.items()}
print("// 10**9: " + ", ".join(f"{name} {value}" for name, value in cut.items()))
print(f"total_seconds: {second} for all six" if set(right.values()) == {second} else right)
assert cut["texts"] == cut["integers"] == 1704067 and cut["floats"] == cut["Parquet in ns"] == second
assert cut["numpy seconds"] == 1 and cut["Parquet in ms"] == 1704 and set(right.values()) == {second}
assert all(column[0].as_unit("ns").value // 10**9 == second for column in columns.values())
END
echo "as found: pandas-epoch-of-a-date-has-four-units"
