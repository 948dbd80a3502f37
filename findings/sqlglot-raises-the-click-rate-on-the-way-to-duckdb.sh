#!/usr/bin/env bash
# A query of click rates that sqlglot translates from SQLite to DuckDB gives 0.25 and 0.75 in place of 0 and 0, and a title search loses
# "Pen".
#
# Guess beforehand: a translated query gives what the query gave, or a warning.
# Found: clicks / shows of whole numbers is a whole number in SQLite and a fraction in DuckDB. sqlglot puts NULLIF around the divisor, so
# that no item is shown 0 times in both, and leaves the division. LIKE 'pen%' finds "Pen" and "pencil" in SQLite and "pencil" in DuckDB, and
# is left as it is. The other way round, from DuckDB to SQLite, the division gets a CAST and is right. PostgreSQL's division is left as
# well. The order of NULL is translated.
# Why it matters: such queries feed a table of features, and a move from one store to the other is the usual case for a translator. Rates
# that were all 0 become right here, and thresholds that were tuned on them do not; whatever counted on whole numbers, as buckets do, is
# another thing.
# Output seen:
#   SELECT clicks / NULLIF(shows, 0) FROM items ORDER BY item NULLS FIRST: SQLite [0, 0, None], DuckDB [0.25, 0.75, None]
#   SELECT title FROM items WHERE title LIKE 'pen%' ORDER BY item NULLS FIRST: SQLite ['Pen', 'pencil'], DuckDB ['pencil']
#   DuckDB's division in SQLite: [0.25, 0.75, None]; PostgreSQL's for DuckDB: SELECT clicks / shows FROM items
# Usage: bash findings/sqlglot-raises-the-click-rate-on-the-way-to-duckdb.sh   (installs sqlglot==30.30.0 duckdb==2.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check sqlglot==30.30.0 duckdb==2.0.1
env/bin/python - <<'END'
import sqlite3

import duckdb
import sqlglot

ROWS = [(1, 1, 4, "Pen"), (2, 3, 4, "pencil"), (3, 0, 0, "Cup")]
lite, duck = sqlite3.connect(":memory:"), duckdb.connect()
lite.execute("CREATE TABLE items (item INTEGER, clicks INTEGER, shows INTEGER, title TEXT)")
duck.execute("CREATE TABLE items (item BIGINT, clicks BIGINT, shows BIGINT, title TEXT)")
for base in (lite, duck):
    base.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", ROWS)


def both(query: str) -> tuple[list, list]:
    made = sqlglot.transpile(query, read="sqlite", write="duckdb")[0]
    found = [value for (value,) in lite.execute(query).fetchall()], [value for (value,) in duck.execute(made).fetchall()]
    print(f"{made}: SQLite {found[0]}, DuckDB {found[1]}")
    return found


rates = both("SELECT clicks / shows FROM items ORDER BY item")
titles = both("SELECT title FROM items WHERE title LIKE 'pen%' ORDER BY item")
back = sqlglot.transpile("SELECT clicks / shows FROM items ORDER BY item", read="duckdb", write="sqlite")[0]
returned = [value for (value,) in lite.execute(back).fetchall()]
postgres = sqlglot.transpile("SELECT clicks / shows FROM items", read="postgres", write="duckdb")[0]
print(f"DuckDB's division in SQLite: {returned}; PostgreSQL's for DuckDB: {postgres}")
assert rates == ([0, 0, None], [0.25, 0.75, None]) and titles == (["Pen", "pencil"], ["pencil"])
assert returned == [0.25, 0.75, None] and postgres == "SELECT clicks / shows FROM items"
END
echo "as found: sqlglot-raises-the-click-rate-on-the-way-to-duckdb"
