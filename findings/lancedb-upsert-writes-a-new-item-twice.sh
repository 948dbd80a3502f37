#!/usr/bin/env bash
# An upsert of LanceDB that names an item twice is refused if the item is in the table, and writes it twice if it is new.
#
# Guess beforehand: after "update when matched, insert when not", every key is there once, or the call is refused as ambiguous.
# Found: two rows for item 5, which exists: an error says that more than one row matches. Two rows for the new item 2000: both are
# inserted. From then on the key stands for two rows, a search returns the item on two places of its list, and the next
# upsert of it changes both.
# Why it matters: a batch of changes holds an item twice as soon as it was edited twice. Upserts are taken to keep keys unique, and the
# error for known items makes it look so. Lists lose places to repeats, and counts of items are too large.
# Output seen:
#   twice in one batch: known item ValueError and 1 row, new item 2 rows; places of the new item in a list of three: 2
#   after an upsert of one row: 2 rows, all with the new price
# Usage: bash findings/lancedb-upsert-writes-a-new-item-twice.sh   (installs lancedb==0.40.0 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lancedb==0.40.0 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import lancedb
import numpy as np
import pyarrow as pa


def rows(items: list[int], price: float, vectors: np.ndarray) -> pa.Table:
    flat = pa.FixedSizeListArray.from_arrays(vectors.astype(np.float32).ravel(), 8)
    return pa.table({"item": items, "price": [price] * len(items), "vector": flat})


def upsert(*given) -> str:
    try:
        table.merge_insert("item").when_matched_update_all().when_not_matched_insert_all().execute(rows(*given))
    except Exception as error:
        return type(error).__name__
    return "no error"


vectors = np.random.default_rng(0).normal(size=(100, 8))
table = lancedb.connect("shop").create_table("items", rows(list(range(100)), 1.0, vectors))
twice = 9 * np.ones((2, 8))
known = upsert([5, 5], 2.0, twice)
new = upsert([2000, 2000], 2.0, twice)
count = {item: table.count_rows(f"item = {item}") for item in (5, 2000)}
places = table.search(twice[0]).limit(3).to_arrow()["item"].to_pylist().count(2000)
print(f"twice in one batch: known item {known} and {count[5]} row, new item {count[2000]} rows; places of the new item in a list of three: {places}")
again = upsert([2000], 3.0, twice[:1])
after = table.count_rows("item = 2000 AND price = 3.0")
print(f"after an upsert of one row: {table.count_rows('item = 2000')} rows, all with the new price")
assert known == "ValueError" and new == again == "no error"
assert count == {5: 1, 2000: 2} and places == 2 and after == table.count_rows("item = 2000") == 2
END
echo "as found: lancedb-upsert-writes-a-new-item-twice"
