#!/usr/bin/env bash
# DuckDB's sample of 10 percent of a table of 2,000 rows has 2,000 rows or none.
#
# Guess beforehand: each row is drawn with one chance in ten, so about 200 come back.
# Found: a percentage draws whole blocks of 2,048 rows unless "bernoulli" is named. A table of 2,000 rows is one block: 30 samples have
# 0 or 2,000 rows. Of 100,000 rows that are sorted by user, 10 rows each, a sample has all rows of some 205 neighbouring users for each
# block, not some rows of all users: of 10,000 users, fewer than 1,500 are in it, with bernoulli more than 5,000. "200 ROWS" is exact.
# Why it matters: samples of users or of rows are drawn to try things out, or to hold out a tenth. Users who signed up at the same time
# come together, the size jumps by blocks, and an empty sample of a small table passes through joins without an error.
# Output seen:
#   2000 rows: sizes of 30 samples of 10 percent [0, 2000]; bernoulli between 100 and 300 True; 200 ROWS [200]
#   100000 rows: sizes that are multiples of 2048 True, at most 1500 of 10000 users True, bernoulli more than 5000 True
# Usage: bash findings/duckdb-sample-of-a-tenth-is-all-or-nothing.sh   (installs duckdb==2.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1
env/bin/python - <<'END'
import duckdb

connection = duckdb.connect()
for name, rows in (("small", 2000), ("large", 100_000)):
    connection.execute(f"CREATE TABLE {name} AS SELECT n // 10 AS user, n AS item FROM range({rows}) t(n)")


def drawn(table: str, share: str, times: int) -> list[tuple[int, int]]:
    """Rows and users of samples."""
    query = f"SELECT count(*), count(DISTINCT user) FROM {table} USING SAMPLE {share}"
    return [connection.execute(query).fetchall()[0] for _ in range(times)]


sizes = sorted({rows for rows, _ in drawn("small", "10%", 30)})
each = all(100 < rows < 300 for rows, _ in drawn("small", "10 PERCENT (bernoulli)", 30))
exact = sorted({rows for rows, _ in drawn("small", "200 ROWS", 5)})
print(f"2000 rows: sizes of 30 samples of 10 percent {sizes}; bernoulli between 100 and 300 {each}; 200 ROWS {exact}")
blocks, single = drawn("large", "10%", 10), drawn("large", "10 PERCENT (bernoulli)", 10)
last = 100_000 % 2048  # the last block is shorter
whole = all(rows % 2048 in (0, last) for rows, _ in blocks)
few, many = sum(users for _, users in blocks) / 10 < 1500, all(users > 5000 for _, users in single)
print(f"100000 rows: sizes that are multiples of 2048 {whole}, at most 1500 of 10000 users {few}, bernoulli more than 5000 {many}")
assert set(sizes) <= {0, 2000} and each and exact == [200]
assert whole and few and many
END
echo "as found: duckdb-sample-of-a-tenth-is-all-or-nothing"
