#!/usr/bin/env bash
# pandas merges 20 users of 10 that match when one table holds the hash as int64 and the other as uint64. isin() of the same columns says
# 10.
#
# Guess beforehand: both types hold the number exactly, so the merge compares whole numbers, or refuses two types as it does for text.
# Found: merge casts both columns to what NumPy calls their common type, float64, where hashes beyond 2^53 share a value with a thousand
# neighbours. np.isin, np.setdiff1d and np.intersect1d do the same: the difference of 20 ids and 10 of them is empty. pandas' isin,
# Index.get_indexer and map are right, and so is a join of polars or of DuckDB. There is no warning.
# Why it matters: pandas, xxhash and DuckDB give unsigned hashes, Spark and Java give signed ones, and a table that passed through SQL is
# signed. A merge then brings rows of strangers, and "users that training has not seen" come out as none.
# Output seen:
#   20 users, 10 of them in the table: pandas merge 20, np.isin 20, np.setdiff1d 0; pandas isin 10, polars 10, DuckDB 10
# Usage: bash findings/pandas-merge-joins-a-hash-with-its-neighbour.sh   (installs pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import duckdb
import numpy as np
import pandas as pd
import polars as pl

known = np.random.default_rng(0).integers(2**62, 2**63 - 1, 1000)
asked = np.concatenate([known[:10], known[:10] + 1])
assert not np.isin(asked[10:], known).any()  # both signed: none of the neighbours is known
left, right = pd.DataFrame({"user": asked}), pd.DataFrame({"user": known.astype(np.uint64)})
wrong = [len(left.merge(right, on="user")), int(np.isin(asked, right["user"].to_numpy()).sum()), len(np.setdiff1d(asked, right["user"].to_numpy()))]
good = [
    int(left["user"].isin(right["user"]).sum()),
    len(pl.from_pandas(left).join(pl.from_pandas(right), on="user")),
    len(duckdb.sql("SELECT * FROM left JOIN right USING (user)".replace("left", '"left"').replace("right", '"right"')).fetchall()),
]
print("20 users, 10 of them in the table: pandas merge {}, np.isin {}, np.setdiff1d {}".format(*wrong) + "; pandas isin {}, polars {}, DuckDB {}".format(*good))
assert wrong == [20, 20, 0] and good == [10, 10, 10]
END
echo "as found: pandas-merge-joins-a-hash-with-its-neighbour"
