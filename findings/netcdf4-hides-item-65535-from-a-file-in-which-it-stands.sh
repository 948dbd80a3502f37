#!/usr/bin/env bash
# netCDF4 gives item 65535 of a uint16 column, and item 255 of a uint8 column, as missing; xarray and h5py read them from the same file.
#
# Guess beforehand: a number that was written is read; missing is what was not written.
# Found: cells that were never written hold the type's last number, and so netCDF4 takes every 65535 (uint16), 255 (uint8) or 4294967295
# (uint32) for a cell that was never written and masks it, although no fill value was asked for. Means and counts leave these items out: the
# mean of 0, 5, 65535 and 7 is 4. And -1, which is written as 255 into the uint8 column without a word, is missing as well. xarray and h5py
# see 65535 both for the item and for the cells that nobody wrote.
# Why it matters: codes of a full codebook (256 or 65,536 entries) and padding at the end of a type are exactly these numbers. One of 256
# codes disappears from all counts in one reader.
# Output seen:
#   netCDF4 [0, 5, None, 7] with mean 4.0, xarray [0, 5, 65535, 7], h5py [0, 5, 65535, 7]; never written [65535, 65535]; -1 [0, 5, None, 7]
# Usage: bash findings/netcdf4-hides-item-65535-from-a-file-in-which-it-stands.sh   (installs netCDF4==1.7.5.1.post1 xarray==2026.9.0 h5py==3.16.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check netCDF4==1.7.5.1.post1 xarray==2026.9.0 h5py==3.16.0 numpy==2.3.5
env/bin/python - <<'END'
import h5py
import netCDF4
import numpy
import xarray

LAST = {"u1": 255, "u2": 65535, "u4": 4294967295}
with netCDF4.Dataset("items.nc", "w") as file:
    file.createDimension("place", 4)
    for kind, last in LAST.items():
        file.createVariable(kind, kind, ("place",))[:] = numpy.array([0, 5, last, 7], dtype=kind)
    file.createVariable("minus", "u1", ("place",))[:] = numpy.array([0, 5, -1, 7])
    half = file.createVariable("half", "u2", ("place",))
    half[:2] = [1, 2]
with netCDF4.Dataset("items.nc") as file:
    read = {kind: file[kind][:].tolist() for kind in LAST}
    mean = float(file["u2"][:].mean())
    minus = file["minus"][:].tolist()
other = xarray.open_dataset("items.nc", engine="netcdf4")["u2"].values.tolist()
with h5py.File("items.nc") as file:
    raw, empty = file["u2"][:].tolist(), file["half"][:].tolist()
print(f"netCDF4 {read['u2']} with mean {mean}, xarray {other}, h5py {raw}; never written {empty[2:]}; -1 {minus}")
assert all(values == [0, 5, None, 7] for values in read.values()) and mean == 4.0 and minus == [0, 5, None, 7]
assert other == raw == [0, 5, 65535, 7] and empty == [1, 2, 65535, 65535]
END
echo "as found: netcdf4-hides-item-65535-from-a-file-in-which-it-stands"
