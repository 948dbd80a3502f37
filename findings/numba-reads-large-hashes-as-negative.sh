#!/usr/bin/env bash
# In a numba function, hash % 1000 of an unsigned 64-bit hash is wrong for half of all items.
#
# Guess beforehand: uint64 % int is the remainder of the unsigned number, as in NumPy, where the same line is right for all.
# Found: a Python int is int64 to numba, and uint64 with int64 is computed as int64. Hashes of 2^63 and more are negative then, and
# get the remainder of another number: a valid bucket, but not the one that NumPy gives. The other half is right. By 1,024 all
# are right, so that a test with a power of two shows nothing. With the count as np.uint64 all are right.
# Why it matters: hashed item tables, the hashing trick and shards by user are such loops, and numba is why they are fast. A service in
# another language, or the same function without @njit, looks up other rows for half of the catalogue.
# Output seen:
#   right buckets: of 1000 0.499, of 1024 1.0, of 1000 as uint64 1.0; without @njit 1.0
# Usage: bash findings/numba-reads-large-hashes-as-negative.sh   (installs numba==0.68.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
env/bin/python - <<'END'
import numba
import numpy as np


def buckets(hashes, count):
    found = np.empty(len(hashes), np.int64)
    for place in range(len(hashes)):
        found[place] = hashes[place] % count
    return found


fast = numba.njit(buckets)
hashes = np.random.default_rng(0).integers(0, 2**64, 50_000, dtype=np.uint64)
large = hashes >= 2**63
right = {
    "of 1000": fast(hashes, 1000) == hashes % 1000,
    "of 1024": fast(hashes, 1024) == hashes % 1024,
    "of 1000 as uint64": fast(hashes, np.uint64(1000)) == hashes % 1000,
}
plain = (buckets(hashes, 1000) == hashes % 1000).mean()
print("right buckets:", ", ".join(f"{name} {round(float(one.mean()), 3)}" for name, one in right.items()), end="; ")
print(f"without @njit {plain}")
assert right["of 1000"][~large].all() and right["of 1000"][large].mean() < 0.1 and plain == 1.0
assert right["of 1024"].all() and right["of 1000 as uint64"].all()
END
echo "as found: numba-reads-large-hashes-as-negative"
