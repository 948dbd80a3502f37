#!/usr/bin/env bash
# The second batch of items that is added to an nmslib index gets the numbers of the first one again.
#
# Guess beforehand: the numbers go on: items that are added later are numbered after those that are there, as in faiss and voyager.
# Found: addDataPointBatch without ids numbers its rows from 0 at each call. Two batches of 100: the index holds 200 items and the numbers 0
# to 99, each twice; the item of row 150 is found as 50. The same 200 vectors in one call are 0 to 199. addDataPoint, which adds one item,
# asks for its number.
# Why it matters: a catalogue that is embedded in batches is added in batches. All that come after the first are recommended as items of the
# first: valid numbers with the right distances, and wrong items for nearly everybody.
# Output seen:
#   rows 0, 50, 100, 150 and 199 are found as: in one batch [0, 50, 100, 150, 199], in two batches [0, 50, 0, 50, 99], of 200 items
# Usage: bash findings/nmslib-counts-each-batch-from-zero.sh   (installs nmslib==2.1.2 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check nmslib==2.1.2 numpy==2.4.6
env/bin/python - <<'END'
import nmslib
import numpy as np

vectors = np.random.default_rng(0).normal(size=(200, 32)).astype(np.float32)
rows = (0, 50, 100, 150, 199)


def found(batches: list[np.ndarray]) -> tuple[list[int], int]:
    index = nmslib.init(method="brute_force", space="l2")
    for batch in batches:
        index.addDataPointBatch(batch)
    index.createIndex()
    return [int(index.knnQuery(vectors[row], 1)[0][0]) for row in rows], len(index)


one, two = found([vectors]), found([vectors[:100], vectors[100:]])
print(f"rows 0, 50, 100, 150 and 199 are found as: in one batch {one[0]}, in two batches {two[0]}, of {two[1]} items")
assert one[0] == list(rows) and two == ([0, 50, 0, 50, 99], 200)
END
echo "as found: nmslib-counts-each-batch-from-zero"
