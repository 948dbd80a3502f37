#!/usr/bin/env bash
# In pyarrow, the vectors of the second batch are those of the first items, and an item without a vector moves all that follow.
#
# Guess beforehand: a batch of a table holds its own rows; what NumPy makes of its vector column has one row for each row of the batch.
# Found: a list column has two ways to its numbers. .values is the memory of the whole column, whatever slice or batch it is asked of: each
# of three batches of 2 items gives all 5 vectors. .flatten() is of the slice, but leaves out items whose vector is null, so the vector of
# the next item takes the place. With fixed_size_list, .values keeps a place for the null, with list it does not. Reading a Parquet
# file in batches gives batches with memory of their own, where .values is right.
# Why it matters: reshape(-1, dim) of one of the two is the way to hand vectors to faiss or torch. Code that was written on a file
# fails on a table in memory or on one with a gap: items get the vectors of others, search works, and results are bad.
# Output seen:
#   values of batches of 2, 2 and 1 items: 5, 5, 5 vectors, each from item 0 on; of the same read from Parquet: 2, 2, 1
#   item 2 has no vector, place of item 4's: flatten 3 and 3, values of list 3, of fixed_size_list 4
# Usage: bash findings/pyarrow-every-batch-holds-all-vectors.sh   (installs pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DIM = 2
full, gap = [[float(item)] * DIM for item in range(5)], [[float(item)] * DIM if item != 2 else None for item in range(5)]
fixed, free = pa.list_(pa.float32(), DIM), pa.list_(pa.float32())


def vectors(numbers: pa.Array) -> np.ndarray:
    """What NumPy makes of the numbers of a list column: one row a vector."""
    return numbers.to_numpy(zero_copy_only=False).reshape(-1, DIM)


def place(numbers: pa.Array) -> int:
    """Row in which the vector of item 4 stands."""
    return int(np.flatnonzero(vectors(numbers)[:, 0] == 4)[0])


table = pa.table({"vector": pa.array(full, fixed)})
batches = [vectors(batch["vector"].values) for batch in table.to_batches(max_chunksize=2)]
pq.write_table(table, "vectors.parquet")
read = [vectors(batch["vector"].values) for batch in pq.ParquetFile("vectors.parquet").iter_batches(batch_size=2)]
counted, on_file = [len(one) for one in batches], [len(one) for one in read]
columns = {kind: pa.array(gap, kind) for kind in (fixed, free)}
flat = [place(columns[kind].flatten()) for kind in (fixed, free)]
kept = [place(columns[kind].values) for kind in (free, fixed)]
print(f"values of batches of 2, 2 and 1 items: {', '.join(map(str, counted))} vectors, each from item 0 on;", end=" ")
print(f"of the same read from Parquet: {', '.join(map(str, on_file))}")
print(f"item 2 has no vector, place of item 4's: flatten {flat[0]} and {flat[1]}, values of list {kept[0]}, of fixed_size_list {kept[1]}")
assert counted == [5, 5, 5] and all(one[0, 0] == 0 for one in batches) and flat == [3, 3] and kept == [3, 4]
assert on_file == [2, 2, 1] and [one[0, 0] for one in read] == [0, 2, 4]
END
echo "as found: pyarrow-every-batch-holds-all-vectors"
