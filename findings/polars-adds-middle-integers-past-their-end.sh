#!/usr/bin/env bash
# polars adds a column of Int16 or Int8 right, and a column of Int32 or UInt32 wrong: four billion and four billion are 3.7 billion.
#
# Guess beforehand: sum() widens every integer type to 64 bits, as pandas, pyarrow and DuckDB do; polars does it for the small ones.
# Found: Int8 and Int16 (and their unsigned kin) become Int64 before they are added. Int32 and UInt32, which need it as much, stay as they
# are and wrap in silence: eager, lazy, streaming, in group_by, over() and cum_sum(). mean() of the same column is right, so that sum /
# len is not mean.
# Why it matters: pl.len(), n_unique and rank are UInt32. Adding the events of all users, or the seconds watched of an Int32 column,
# passes 4.29 (or 2.15) billion in any large log. A negative popularity shows itself; one of 3.7 billion does not.
# Output seen:
#   Int16: sum 60000, mean x 2 = 60000; Int32: sum -294967296, mean x 2 = 4000000000; UInt32: sum 3705032704, mean x 2 = 8000000000
#   UInt32 in DuckDB 8000000000, pandas 8000000000, pyarrow 8000000000
# Usage: bash findings/polars-adds-middle-integers-past-their-end.sh   (installs polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import duckdb
import polars as pl
import pyarrow.compute as pc

seen = {}
for dtype, value in ((pl.Int16, 30_000), (pl.Int32, 2_000_000_000), (pl.UInt32, 4_000_000_000)):
    log = pl.DataFrame({"user": [1, 1], "count": [value, value]}, schema={"user": pl.Int64, "count": dtype})
    total = pl.col("count").sum()
    sums = [
        log["count"].sum(),
        log.lazy().select(total).collect()["count"][0],
        log.lazy().group_by("user").agg(total).collect(engine="streaming")["count"][0],
        log.group_by("user").agg(total)["count"][0],
        log.select(total.over("user"))["count"][0],
        log["count"].cum_sum()[1],
    ]
    assert len(set(sums)) == 1, sums
    seen[str(dtype)] = (sums[0], int(log["count"].mean() * 2))
print("; ".join(f"{dtype}: sum {one}, mean x 2 = {two}" for dtype, (one, two) in seen.items()))
others = (duckdb.sql("SELECT sum(count) FROM log").fetchall()[0][0], log.to_pandas()["count"].sum(), pc.sum(log.to_arrow()["count"]).as_py())
print("UInt32 in DuckDB {}, pandas {}, pyarrow {}".format(*others))
assert seen == {"Int16": (60_000, 60_000), "Int32": (4_000_000_000 - 2**32, 4_000_000_000), "UInt32": (8_000_000_000 - 2**32, 8_000_000_000)}
assert all(other == 8_000_000_000 for other in others)
END
echo "as found: polars-adds-middle-integers-past-their-end"
