#!/usr/bin/env bash
# Python's sqlite3 stores item 5 and score 0.5 of a NumPy array as bytes, in an INTEGER and a REAL column. Queries from Python find them.
#
# Guess beforehand: a NumPy integer is refused ("type not supported"), or becomes an integer, as a NumPy float64 becomes a float.
# Found: np.int64(5) is no Python int, but it offers its memory, so that it is stored as a BLOB of eight bytes; float32 as one of four.
# The column's type changes nothing, as SQLite never converts bytes. WHERE item = 5 finds nothing, and ORDER BY puts the score above all
# numbers. WHERE item = ? with np.int64(5) finds the row, as it is compared byte for byte (and np.int32(5) does not). np.float64 is stored
# as a number, and int() and float() help.
# Why it matters: ids and scores come from argsort and top-k as NumPy numbers, and SQLite is the feature store of small services. A test
# that writes and reads with the same array passes; the service with ids of JSON finds no item, and 0.5 stands before 0.9.
# Output seen:
#   types ('blob', 'blob'); found by 5: 0, by np.int64(5): 1, by np.int32(5): 0; best score first: item 5 with 0.5 before 0.9
# Usage: bash findings/sqlite-keeps-an-item-number-of-numpy-as-eight-bytes.sh   (installs numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.3.5
env/bin/python - <<'END'
import sqlite3

import numpy as np

base = sqlite3.connect(":memory:")
base.execute("CREATE TABLE scores (item INTEGER, score REAL)")
base.execute("INSERT INTO scores VALUES (?, ?)", (np.int64(5), np.float32(0.5)))
types = base.execute("SELECT typeof(item), typeof(score) FROM scores").fetchone()
count = "SELECT count(*) FROM scores WHERE item = ?"
found = [base.execute(count, (key,)).fetchone()[0] for key in (5, np.int64(5), np.int32(5))]
base.execute("INSERT INTO scores VALUES (?, ?)", (7, np.float64(0.9)))
first, second = (row[0] for row in base.execute("SELECT score FROM scores ORDER BY score DESC"))
first = float(np.frombuffer(first, np.float32)[0])
print(f"types {types}; found by 5: {found[0]}, by np.int64(5): {found[1]}, by np.int32(5): {found[2]}; best score first: item 5 with {first} before {second}")
assert types == ("blob", "blob") and found == [0, 1, 0] and (first, second) == (0.5, 0.9)
END
echo "as found: sqlite-keeps-an-item-number-of-numpy-as-eight-bytes"
