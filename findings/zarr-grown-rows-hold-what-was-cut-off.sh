#!/usr/bin/env bash
# Rows that were cut off a zarr array come back with their old values when the array grows again.
#
# Guess beforehand: rows that are new hold the fill value, as in HDF5.
# Found: making an array shorter deletes the chunks behind the end, but not the rest of the chunk in which the end lies. Ten items
# in chunks of four, cut to five, grown to ten: rows 5 to 7 hold the vectors of the items that were removed, rows 8 and 9
# the fill value 0. h5py gives 0 in all five. (append, which writes the new rows at once, is right.)
# Why it matters: tables of item vectors shrink when a catalogue is cleaned and grow when new items come; rows not filled yet are told by
# the fill value. Up to one chunk of new items (thousands, with usual chunks) has vectors of products that were taken out.
# Output seen:
#   zarr [1, 2, 3, 4, 5, 6, 7, 8, 0, 0], h5py [1, 2, 3, 4, 5, 0, 0, 0, 0, 0]
# Usage: bash findings/zarr-grown-rows-hold-what-was-cut-off.sh   (installs zarr==3.1.6 h5py==3.16.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check zarr==3.1.6 h5py==3.16.0 numpy==2.4.6
env/bin/python - <<'END'
import h5py
import numpy as np
import zarr

values = np.arange(1, 11, dtype=np.float32)
chunked = zarr.create_array("items.zarr", shape=(10,), chunks=(4,), dtype="float32", fill_value=0)
with h5py.File("items.h5", "w") as file:
    other = file.create_dataset("items", shape=(10,), maxshape=(None,), chunks=(4,), dtype="float32", fillvalue=0)
    found = []
    for array in (chunked, other):
        array[:] = values
        array.resize((5,))
        array.resize((10,))
        found.append([int(value) for value in array[:]])
print(f"zarr {found[0]}, h5py {found[1]}")
assert found == [[1, 2, 3, 4, 5, 6, 7, 8, 0, 0], [1, 2, 3, 4, 5, 0, 0, 0, 0, 0]]
END
echo "as found: zarr-grown-rows-hold-what-was-cut-off"
