#!/usr/bin/env bash
# DuckDB counts 0 NaN scores in a Parquet file that holds one, if pyarrow wrote the file.
#
# Guess beforehand: isnan is computed from the values; the same rows give the same count in whichever file they are.
# Found: pyarrow leaves NaN out of the smallest and largest value of a row group, as the format asks for. DuckDB takes these two as the whole
# truth: a filter that only NaN passes (isnan, or score > 5, as NaN is the largest number in DuckDB) skips the rows unread, and
# max() is answered from them. The row comes back in a plain SELECT, and in ORDER BY it stands first. Of the file that DuckDB
# itself writes, all three answers are right.
# Why it matters: "no NaN in the vectors and scores" is the check before training or serving, and DuckDB over Parquet is how it is written.
# The check passes, and the item with NaN is the first of every sorted list.
# Output seen:
#   pyarrow's file: isnan 0, max 2.0, first by score pear; DuckDB's file: isnan 1, max nan, first by score pear
# Usage: bash findings/duckdb-finds-no-nan-that-pyarrow-wrote.sh   (installs duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

scored = pa.table({"item": ["soap", "pear", "comb"], "score": [1.0, float("nan"), 2.0]})
pq.write_table(scored, "arrow.parquet")
duckdb.sql("COPY scored TO 'duck.parquet'")


def asked(file: str) -> tuple[int, str, str]:
    count = duckdb.sql(f"SELECT count(*) FROM '{file}' WHERE isnan(score)").fetchall()[0][0]
    largest = duckdb.sql(f"SELECT max(score) FROM '{file}'").fetchall()[0][0]
    first = duckdb.sql(f"SELECT item FROM '{file}' ORDER BY score DESC").fetchall()[0][0]
    return count, str(largest), first


arrow, duck = asked("arrow.parquet"), asked("duck.parquet")
told = [f"isnan {count}, max {largest}, first by score {first}" for count, largest, first in (arrow, duck)]
print(f"pyarrow's file: {told[0]}; DuckDB's file: {told[1]}")
assert arrow == (0, "2.0", "pear") and duck == (1, "nan", "pear")
END
echo "as found: duckdb-finds-no-nan-that-pyarrow-wrote"
