#!/usr/bin/env bash
# In a SQLite column of type STRING, item 12E4 is number 120000, and item 007 writes over item 7. In TEXT and VARCHAR neither happens.
#
# Guess beforehand: STRING is another word for TEXT, or an unknown type: then it is refused, or keeps what it gets.
# Found: SQLite knows no STRING, and unknown types are numeric: a text that looks like a number is stored as one. '007', '7' and '7.0' are
# the number 7 and one primary key, 12E4 is 120000, a number of 22 digits is rounded to a float. Four of six items are left of
# INSERT OR REPLACE, one of them with the title of another. 'B07' and '1_000' stay text, so a first look at the table shows nothing.
# Why it matters: an item table made by hand with "item STRING PRIMARY KEY" (the name of the type in Spark, Hive and BigQuery) loses
# items, and what it returns no longer finds its partner in logs and in the index.
# Output seen:
#   STRING: 4 items: 7.0 -> 7, 12E4 -> 120000, 1234567890123456789012 -> 1.2345678901234568e+21, B07 -> 'B07'
#   TEXT: 6 items as written, VARCHAR: 6 items as written
# Usage: bash findings/sqlite-string-column-makes-numbers-of-items.sh   (installs apsw==3.54.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check apsw==3.54.1.0
env/bin/python - <<'END'
import apsw

ITEMS = ["007", "7", "7.0", "12E4", "1234567890123456789012", "B07"]


def stored(kind: str) -> dict:
    """What became of each item that is left, by the title that it was written with."""
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE items (item {kind} PRIMARY KEY, title TEXT)")
    connection.executemany("INSERT OR REPLACE INTO items VALUES (?, ?)", [(item, item) for item in ITEMS])
    return {title: item for item, title in connection.execute("SELECT item, title FROM items ORDER BY rowid")}


found = {kind: stored(kind) for kind in ("STRING", "TEXT", "VARCHAR")}
left = found["STRING"]
shown = ", ".join(f"{title} -> {item!r}" for title, item in left.items())
print(f"STRING: {len(left)} items: {shown}")
assert left == {"7.0": 7, "12E4": 120_000, "1234567890123456789012": 1.2345678901234568e21, "B07": "B07"}
for kind in ("TEXT", "VARCHAR"):
    assert found[kind] == {item: item for item in ITEMS}
print("TEXT: 6 items as written, VARCHAR: 6 items as written")
END
echo "as found: sqlite-string-column-makes-numbers-of-items"
