#!/usr/bin/env bash
# The padding item -1 becomes item 0 in an h5py data set of unsigned numbers, and item 65535 in a zarr array; item 70000 becomes 65535 in
# one and 4464 in the other.
#
# Guess beforehand: both refuse numbers that do not fit into uint16, or both wrap as NumPy's astype does.
# Found: neither says a word. HDF5 moves a number to the nearest end of the type: -1 to 0, and 70000 and 80000 to 65535. zarr 3 wraps, as
# astype does. Fixed text is cut: in a data set of type S4 the ids "B001" and "B00123" are both "B001". NumPy itself refuses to make a
# uint16 array of the list [-1].
# Why it matters: -1 is what pads a history or marks an unknown item, and 0 is a real item, the first. After HDF5 it stands in every short
# history. After zarr the padding is a number past the table. Codes above the end all become one item in one format, and other real items in
# the other.
# Output seen:
#   history [5, -1, 70000, 80000]: h5py [5, 0, 65535, 65535], zarr [5, 65535, 4464, 14464], astype [5, 65535, 4464, 14464]; ids [b'B001', b'B001']
# Usage: bash findings/h5py-writes-no-item-as-item-zero-where-zarr-wraps.sh   (installs h5py==3.16.0 zarr==3.1.6 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check h5py==3.16.0 zarr==3.1.6 numpy==2.3.5
env/bin/python - <<'END'
import h5py
import numpy
import zarr

history = numpy.array([5, -1, 70000, 80000])
with h5py.File("items.h5", "w") as file:
    stored = file.create_dataset("history", data=history, dtype="uint16")[:].tolist()
    ids = file.create_dataset("ids", (2,), dtype="S4")
    ids[:] = numpy.array([b"B001", b"B00123"])
    names = ids[:].tolist()
array = zarr.create_array("items.zarr", shape=(4,), dtype="uint16")
array[:] = history
wrapped = array[:].tolist()
print(f"history {history.tolist()}: h5py {stored}, zarr {wrapped}, astype {history.astype('uint16').tolist()}; ids {names}")
assert stored == [5, 0, 65535, 65535] and wrapped == history.astype("uint16").tolist() == [5, 65535, 4464, 14464]
assert names == [b"B001", b"B001"]
END
echo "as found: h5py-writes-no-item-as-item-zero-where-zarr-wraps"
