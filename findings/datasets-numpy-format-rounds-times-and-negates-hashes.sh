#!/usr/bin/env bash
# with_format("numpy") of datasets gives float64 times as float32, 128 seconds apart, and half of all 64-bit hashes as negative numbers.
#
# Guess beforehand: the format changes the container; NumPy has float64 and uint64, so the values stay.
# Found: the column is double and uint64 in the table (and features says so), and the NumPy and torch formats make float32 and int64 of
# them. 1,700,000,000 and the second after it are one number; a hash of 2^63 + 5 is -2^63 + 5. The formats "arrow", "pandas" and "polars",
# and no format at all, keep both. with_format("numpy", dtype="float64") keeps the times and makes floats of the hashes, so that
# neighbours among them become one.
# Why it matters: times in seconds are sorted, or put on a scale, after the format is set; ids that are hashes are looked up in a table
# made elsewhere. Steps of 128 seconds tie most sessions, and no id with the highest bit is found.
# Output seen:
#   no format: 2 times, hash 9223372036854775813; numpy: 1 times, hash -9223372036854775803; pandas: 2 times, hash 9223372036854775813
# Usage: bash findings/datasets-numpy-format-rounds-times-and-negates-hashes.sh   (installs datasets==5.2.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check datasets==5.2.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from datasets import Dataset, disable_progress_bars

disable_progress_bars()
table = Dataset.from_dict({"time": [1_700_000_000.0, 1_700_000_001.0], "hash": np.array([2**63 + 5, 7], np.uint64)})
assert table.features["time"].dtype == "float64" and table.features["hash"].dtype == "uint64"
seen = {}
for kind in (None, "numpy", "pandas"):
    rows = table.with_format(kind)[:] if kind else table[:]
    times = {float(value) for value in rows["time"]}
    seen[kind or "no format"] = (len(times), int(rows["hash"][0]))
print("; ".join(f"{kind}: {times} times, hash {number}" for kind, (times, number) in seen.items()))
kept, wrapped = (2, 2**63 + 5), (1, 5 - 2**63)
assert seen == {"no format": kept, "numpy": wrapped, "pandas": kept}
END
echo "as found: datasets-numpy-format-rounds-times-and-negates-hashes"
