#!/usr/bin/env bash
# NumPy's mean of 33 million float32 vectors of ones is 0.5, along the axis that everybody uses.
#
# Guess beforehand: NumPy sums in pairs, so the mean of float32 numbers is right to some millionths, along every axis.
# Found: pairs are used only where the summed numbers lie side by side. mean(axis=0) of a table of rows adds row to row in float32,
# and 16,777,216 + 1 is 16,777,216. The mean of 33.6 million rows of ones is 0.5; the same array in Fortran order gives 1.0, and so do
# mean() over all, dtype=float64, and torch. Long before, it is off: for 4 million rows of numbers around 1 by 4e-5, which is 600 times
# the error of the copy in Fortran order.
# Why it matters: the mean vector of a catalogue or of all events, the rate of each column, column sums of a user-item table: a million
# rows is little there. A transposed copy of the same table gives another number.
# Output seen:
#   mean of 33,554,432 rows of ones: rows 0.5, Fortran order 1.0, all 1.0, float64 1.0, torch 1.0
#   4,194,304 rows around 1: off by 4e-05 in rows, 6e-08 in Fortran order
# Usage: bash findings/numpy-mean-of-vectors-is-half.sh   (installs numpy==2.4.6 torch==2.13.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.4.6 torch==2.13.0
env/bin/python - <<'END'
import numpy as np
import torch

ones = np.ones((2**25, 2), np.float32)
found = {
    "rows": float(ones.mean(axis=0)[0]),
    "Fortran order": float(np.asfortranarray(ones).mean(axis=0)[0]),
    "all": float(ones.mean()),
    "float64": float(ones.mean(axis=0, dtype=np.float64)[0]),
    "torch": float(torch.from_numpy(ones).mean(dim=0)[0]),
}
print("mean of 33,554,432 rows of ones: " + ", ".join(f"{name} {value}" for name, value in found.items()))
assert found == {"rows": 0.5, "Fortran order": 1.0, "all": 1.0, "float64": 1.0, "torch": 1.0}
prices = np.random.default_rng(0).normal(1, 0.1, size=(2**22, 2)).astype(np.float32)
exact = prices.mean(axis=0, dtype=np.float64)
off = [float(np.abs(table.mean(axis=0) - exact).max()) for table in (prices, np.asfortranarray(prices))]
print(f"4,194,304 rows around 1: off by {off[0]:.0e} in rows, {off[1]:.0e} in Fortran order")
assert off[0] > 50 * off[1]
END
echo "as found: numpy-mean-of-vectors-is-half"
