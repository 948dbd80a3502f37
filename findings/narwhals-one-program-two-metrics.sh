#!/usr/bin/env bash
# One narwhals program gives the mean NDCG 0.6 for a pandas table and NaN for the same table in polars, and keeps other users.
#
# Guess beforehand: narwhals is there so that one program gives one answer, whatever the table is.
# Found: NaN is a missing value where the table is pandas, and a number in polars and pyarrow; narwhals passes each on. Users without a test
# item have NDCG NaN: mean() is that of the others in pandas and NaN elsewhere, fill_null(0) fills them in pandas only, and drop_nulls keeps
# them elsewhere. Missing text is unequal to everything in pandas: filter(segment != "bot") keeps users without a segment there, and drops
# them in polars and pyarrow.
# Why it matters: libraries of metrics and features are moved to narwhals so that users may bring any table. The same rows then give another
# metric, over other users, and a test with one kind of table does not show it.
# Output seen:
#   mean NDCG: pandas 0.6, polars nan, pyarrow nan; after fill_null(0): pandas 0.45, polars nan, pyarrow nan; users left by segment != "bot": pandas 3, polars 2, pyarrow 2
# Usage: bash findings/narwhals-one-program-two-metrics.sh   (installs narwhals==2.29.0 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check narwhals==2.29.0 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
env/bin/python - <<'END'
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa

rows = {"user": [1, 2, 3, 4], "ndcg": [1.0, 0.5, 0.3, float("nan")], "segment": ["new", "bot", "new", None]}
tables = {"pandas": pd.DataFrame(rows), "polars": pl.DataFrame(rows), "pyarrow": pa.table(rows)}


def report(native) -> tuple[float, float, int]:
    table = nw.from_native(native, eager_only=True)
    ndcg = nw.col("ndcg")
    mean, filled = (round(float(table.select(one.mean())["ndcg"][0]), 3) for one in (ndcg, ndcg.fill_null(0.0)))
    return mean, filled, len(table.filter(nw.col("segment") != "bot"))


found = {name: report(table) for name, table in tables.items()}
parts = [", ".join(f"{name} {values[n]}" for name, values in found.items()) for n in range(3)]
print(f'mean NDCG: {parts[0]}; after fill_null(0): {parts[1]}; users left by segment != "bot": {parts[2]}')
assert found["pandas"] == (0.6, 0.45, 3) and all(pd.isna(found[name][0]) and pd.isna(found[name][1]) and found[name][2] == 2 for name in ("polars", "pyarrow"))
END
echo "as found: narwhals-one-program-two-metrics"
