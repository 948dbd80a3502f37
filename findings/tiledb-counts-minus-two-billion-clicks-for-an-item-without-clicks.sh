#!/usr/bin/env bash
# In TileDB an item without a written count has -2,147,483,648 clicks as int32 and 65,535 as uint16, and a second purchase is refused in one
# write and overwrites in two.
#
# Guess beforehand: a cell that was never written is 0, as in HDF5 and zarr, or missing.
# Found: it is the smallest number of a signed type, the largest of an unsigned one, NaN for floats and False for bool, so that the answer
# depends on the type. Nothing marks it as missing. In a sparse array the same user and item twice in one write are an error; in two writes
# the second one replaces the first one.
# Why it matters: a catalogue gets its counts item by item. With uint16 the items that nobody clicked are the most popular ones, with int32
# a sum over a category is far below zero. A log that is stored day by day keeps the last purchase only, and one that is stored at once
# stops.
# Output seen:
#   clicks of an item that was not written: {'int32': -2147483648, 'uint16': 65535, 'float32': nan, 'bool': False}, h5py and zarr (0, 0)
#   the same purchase in two writes: [9.0], in one: refused True
# Usage: bash findings/tiledb-counts-minus-two-billion-clicks-for-an-item-without-clicks.sh   (installs tiledb==0.36.1 h5py==3.16.0 zarr==3.1.6 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check tiledb==0.36.1 h5py==3.16.0 zarr==3.1.6 numpy==2.3.5
env/bin/python - <<'END'
import h5py
import numpy
import tiledb
import zarr


def clicks(kind: str) -> float:
    place = tiledb.Dim("item", domain=(0, 3), tile=4, dtype="int64")
    tiledb.Array.create(kind, tiledb.ArraySchema(tiledb.Domain(place), attrs=[tiledb.Attr("", dtype=kind)]))
    with tiledb.open(kind, "w") as array:
        array[0:2] = numpy.array([3, 1], dtype=kind)
    with tiledb.open(kind) as array:
        return array[:][3].item()


found = {kind: clicks(kind) for kind in ("int32", "uint16", "float32", "bool")}
with h5py.File("items.h5", "w") as file:
    others = int(file.create_dataset("clicks", (4,), dtype="int32")[3]), int(zarr.create_array("items.zarr", shape=(4,), dtype="int32")[3])
print(f"clicks of an item that was not written: {found}, h5py and zarr {others}")
axes = [tiledb.Dim(name, domain=(0, 9), tile=10, dtype="int64") for name in ("user", "item")]
tiledb.Array.create("log", tiledb.ArraySchema(tiledb.Domain(*axes), attrs=[tiledb.Attr("stars", dtype="float64")], sparse=True))
for stars in (1.0, 9.0):
    with tiledb.open("log", "w") as array:
        array[[1], [5]] = numpy.array([stars])
with tiledb.open("log") as array:
    kept = array[:]["stars"].tolist()
try:
    with tiledb.open("log", "w") as array:
        array[[1, 1], [5, 5]] = numpy.array([1.0, 9.0])
    refused = False
except tiledb.TileDBError:
    refused = True
print(f"the same purchase in two writes: {kept}, in one: refused {refused}")
assert found["int32"] == -(2**31) and found["uint16"] == 65535 and numpy.isnan(found["float32"]) and found["bool"] is False
assert others == (0, 0) and kept == [9.0] and refused
END
echo "as found: tiledb-counts-minus-two-billion-clicks-for-an-item-without-clicks"
