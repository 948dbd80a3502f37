#!/usr/bin/env bash
# In DuckDB, the item without a vector is the best one for all users by cosine similarity, and the worst for all by cosine distance.
#
# Guess beforehand: distance is 1 - similarity, so the largest similarity and the smallest distance are one order.
# Found: the cosine with a vector of zeros is NaN in both functions, and DuckDB takes NaN for the largest number. In ORDER BY ... DESC it stands
# in front, in ascending order behind. Of 200 users, 200 have the one item without a text on top by array_cosine_similarity (and by
# list_cosine_similarity), and none by array_cosine_distance, where it is last. max() gives NaN, too. usearch gives the item a
# distance of 1, in the middle of the list. WHERE NOT isnan(...) is right.
# Why it matters: items without a text or a picture often keep a row of zeros, and vectors of users without a history are zeros, too. One such item
# among a million is on the first place of each list, and takes a place from the hit rate of all users.
# Output seen:
#   users whose first item has no vector: by similarity 200, by distance 0; whose last item: 0 and 200; usearch, first 0 and last 0
# Usage: bash findings/duckdb-item-without-a-text-is-everybodys-first.sh   (installs duckdb==2.0.1 usearch==2.26.6 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 usearch==2.26.6 numpy==2.4.6
env/bin/python - <<'END'
import duckdb
import numpy as np
from usearch.index import Index

rng = np.random.default_rng(0)
items, users = rng.normal(size=(50, 8)).astype(np.float32), rng.normal(size=(200, 8)).astype(np.float32)
EMPTY = 7
items[EMPTY] = 0
db = duckdb.connect()
db.execute("CREATE TABLE items (item INTEGER, vector FLOAT[8])")
db.executemany("INSERT INTO items VALUES (?, ?)", [(item, vector.tolist()) for item, vector in enumerate(items)])


def ranked(user: np.ndarray, order: str) -> list[int]:
    vector = f"{user.tolist()}::FLOAT[8]"
    return [row[0] for row in db.execute(f"SELECT item FROM items ORDER BY {order.format(vector)}").fetchall()]


ORDERS = {
    "similarity": "array_cosine_similarity(vector, {}) DESC",
    "distance": "array_cosine_distance(vector, {})",
    "lists": "list_cosine_similarity(vector::FLOAT[], ({})::FLOAT[]) DESC",
}
lists = {name: [ranked(user, order) for user in users] for name, order in ORDERS.items()}
index = Index(ndim=8, metric="cos", dtype="f32")
index.add(np.arange(50), items)
lists["usearch"] = [index.search(user, 50, exact=True).keys.tolist() for user in users]
first, last = ({name: sum(one[place] == EMPTY for one in made) for name, made in lists.items()} for place in (0, -1))
print(f"users whose first item has no vector: by similarity {first['similarity']}, by distance {first['distance']};", end=" ")
print(f"whose last item: {last['similarity']} and {last['distance']}; usearch, first {first['usearch']} and last {last['usearch']}")
best = db.execute(f"SELECT max(array_cosine_similarity(vector, {users[0].tolist()}::FLOAT[8])) FROM items").fetchall()[0][0]
shown = [row[0] for row in db.execute(
    f"SELECT item FROM items WHERE NOT isnan(array_cosine_similarity(vector, {users[0].tolist()}::FLOAT[8]))"
).fetchall()]
assert first == {"similarity": 200, "distance": 0, "lists": 200, "usearch": 0} and last["similarity"] == 0 and last["distance"] == 200
assert np.isnan(best) and len(shown) == 49 and last["usearch"] == 0
END
echo "as found: duckdb-item-without-a-text-is-everybodys-first"
