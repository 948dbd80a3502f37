#!/usr/bin/env bash
# The nearest item of another brand is found in sqlite-vec with brand != 'x', and is not there with NOT brand = 'x' and with lower(brand) !=
# 'x'.
#
# Guess beforehand: the three conditions mean the same and give the same item.
# Found: a plain comparison is applied before the k nearest items are taken, and the answer has k items. Every other form is applied
# afterwards, to the k nearest of all brands. With three items of brand x nearest, k = 2 gives two items with != and none with the other
# two, without an error. LIKE, in contrast, is refused.
# Why it matters: lists of "not this brand", "not bought yet" and "in stock" come out short or empty for some users, and are full for those
# whose nearest items pass by chance. The query is valid SQL and right for every ordinary table.
# Output seen:
#   {"brand != 'x'": [3, 4], "NOT brand = 'x'": [], "lower(brand) != 'x'": []}, LIKE refused True
# Usage: bash findings/sqlite-vec-finds-other-brands-with-one-spelling-of-not.sh   (installs sqlite-vec==0.1.9 apsw==3.54.1.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check sqlite-vec==0.1.9 apsw==3.54.1.0 numpy==2.3.5
env/bin/python - <<'END'
import apsw
import numpy
import sqlite_vec

base = apsw.Connection(":memory:")
base.enable_load_extension(True)
base.load_extension(sqlite_vec.loadable_path())
base.execute("CREATE VIRTUAL TABLE items USING vec0(item INTEGER PRIMARY KEY, brand TEXT, vector FLOAT[2])")
for item, brand in enumerate("xxxyy"):
    base.execute("INSERT INTO items VALUES (?, ?, ?)", (item, brand, numpy.array([item, 0], "float32").tobytes()))


def nearest(condition: str) -> list[int]:
    query = f"SELECT item FROM items WHERE vector MATCH ? AND k = 2 AND {condition} ORDER BY distance"
    return [item for (item,) in base.execute(query, (numpy.zeros(2, "float32").tobytes(),))]


found = {condition: nearest(condition) for condition in ("brand != 'x'", "NOT brand = 'x'", "lower(brand) != 'x'")}
try:
    nearest("brand LIKE 'y%'")
    refused = False
except apsw.SQLError:
    refused = True
print(f"{found}, LIKE refused {refused}")
assert list(found.values()) == [[3, 4], [], []] and refused
END
echo "as found: sqlite-vec-finds-other-brands-with-one-spelling-of-not"
