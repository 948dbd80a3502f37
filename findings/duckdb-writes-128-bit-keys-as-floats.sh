#!/usr/bin/env bash
# A key of user and item in 128 bits loses the item when DuckDB writes it to Parquet, and a split by hash loses half of its folds.
#
# Guess beforehand: Parquet keeps what the table holds; a type that Parquet lacks is refused, or written as text or a decimal.
# Found: HUGEINT and UHUGEINT columns become doubles in the file, without a word. Of 1,000 keys user << 64 | item, 10 are left, one for
# each user; a join of the table with its own file gives 100,000 rows. md5_number gives UHUGEINT: of the ten folds md5_number(item) % 10,
# five are empty when they are made from the file, as all doubles of that size are even. A CSV file, text and UUID keep every digit.
# Why it matters: md5_number is the hash that other languages can repeat, packed pairs are used to count and to take out duplicates, and
# sum() of integers gives HUGEINT, too. A split that is made again from the saved table moves most items, and no step fails.
# Output seen:
#   distinct pairs: table 1000, file 10; rows of the join of both 100000; Parquet type double
#   folds that hold items: table 10, file 5; items in the fold that they had 113 of 1000; type of sum() in the file double
# Usage: bash findings/duckdb-writes-128-bit-keys-as-floats.sh   (installs duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import pyarrow.parquet as pq

db = duckdb.connect()


def rows(query: str) -> list[tuple]:
    return db.execute(query).fetchall()


db.execute("CREATE TABLE log AS SELECT i // 100 + 1 AS user, i % 100 AS item, 'item ' || i AS name FROM range(1000) t(i)")
db.execute("CREATE TABLE made AS SELECT user::HUGEINT << 64 | item AS pair, md5_number(name) AS hash, name FROM log")
db.execute("COPY made TO 'made.parquet'")
db.execute("COPY (SELECT user, sum(item) AS total FROM log GROUP BY user) TO 'sums.parquet'")
types = {str(pq.read_schema("made.parquet").field(name).type) for name in ("pair", "hash")}
summed = str(pq.read_schema("sums.parquet").field("total").type)
pairs = [rows(f"SELECT count(DISTINCT pair) FROM {source}")[0][0] for source in ("made", "'made.parquet'")]
joined = rows("SELECT count(*) FROM made JOIN 'made.parquet' saved ON made.pair = saved.pair")[0][0]
folds = [dict(rows(f"SELECT name, (hash % 10)::INT FROM {source}")) for source in ("made", "'made.parquet'")]
same = sum(folds[1][name] == fold for name, fold in folds[0].items())
used = [len(set(one.values())) for one in folds]
print(f"distinct pairs: table {pairs[0]}, file {pairs[1]}; rows of the join of both {joined}; Parquet type {', '.join(types)}")
print(f"folds that hold items: table {used[0]}, file {used[1]}; items in the fold that they had {same} of 1000;", end=" ")
print(f"type of sum() in the file {summed}")
assert types == {"double"} and summed == "double" and pairs == [1000, 10] and joined == 100_000
assert used == [10, 5] and same < 400
END
echo "as found: duckdb-writes-128-bit-keys-as-floats"
