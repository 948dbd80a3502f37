#!/usr/bin/env bash
# A user-item matrix in a small integer type forgets the items that were bought most.
#
# Guess beforehand: repeated entries are summed in a wide type, or overflow is told.
# Found: csr_matrix sums repeats in the data's own type. 256 purchases in uint8 become a *stored zero*: the entry counts in
# nnz, so the item is "seen" for one consumer of the matrix and "never bought" for another. X.T @ X of int8 wraps, too
# (300 shared buyers are 44), and of bool stays bool (300 shared buyers are True).
# Why it matters: item-kNN, EASE and co-occurrence codes start from this matrix, and bool or int8 is chosen to save memory.
# Output seen:
#   256 purchases in uint8: value 0, stored entries 1
#   300 shared buyers: int8 44, bool True, int32 300
# Usage: bash findings/scipy-counts-wrap-to-a-stored-zero.sh   (installs scipy==1.17.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scipy==1.17.0 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
import scipy.sparse as sparse

row = np.zeros(256, dtype=int)
bought = sparse.csr_matrix((np.ones(256, np.uint8), (row, row)), shape=(2, 2))
value, stored = int(bought[0, 0]), bought.nnz
print(f"256 purchases in uint8: value {value}, stored entries {stored}")
together = {name: sparse.csr_matrix(np.ones((300, 2), name)) for name in ("int8", "bool", "int32")}
counts = {name: (matrix.T @ matrix)[0, 1] for name, matrix in together.items()}
print(f"300 shared buyers: int8 {counts['int8']}, bool {counts['bool']}, int32 {counts['int32']}")
assert (value, stored) == (0, 1)
assert (int(counts["int8"]), bool(counts["bool"]), int(counts["bool"]), int(counts["int32"])) == (44, True, 1, 300)
END
echo "as found: scipy-counts-wrap-to-a-stored-zero"
