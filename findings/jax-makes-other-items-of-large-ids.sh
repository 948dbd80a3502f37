#!/usr/bin/env bash
# jax makes item 705,032,704 of item 5,000,000,000 in a NumPy array, and says nothing; as a Python number it refuses it.
#
# Guess beforehand: without 64 bits, ids above 2.1 billion raise or at least warn, as they do not fit.
# Found: a Python list of them raises OverflowError. A NumPy array of the same int64 numbers is cut to int32 without a warning, by
# jnp.asarray and by every jitted function that gets the array. Ids that are 2^32 apart become one: of 1,000 distinct hashes of 64 bits
# about half are negative. jax_enable_x64 keeps all of them as they are.
# Why it matters: item ids are hashes, EAN numbers of 13 digits and times in milliseconds, and batches come as NumPy arrays. Masks of bought
# items, sets of negatives and splits by time are then computed with other numbers.
# Output seen:
#   list: OverflowError; array: [705032704, 705032704] of 2 different items, jit 705032705, warnings 0
#   hashes below zero, of 1000 that are above: 500 or so; with 64 bits the array is [5000000000, 705032704]
# Usage: bash findings/jax-makes-other-items-of-large-ids.sh   (installs jax==0.10.2 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2 numpy==2.4.6
env/bin/python - <<'END'
import warnings

import jax
import jax.numpy as jnp
import numpy as np

items = np.array([5_000_000_000, 705_032_704])
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    array = jnp.asarray(items).tolist()
    jitted = jax.jit(lambda item: item + 1)(items).tolist()
    hashes = np.random.default_rng(0).integers(0, 2**63, 1000)
    below = int((jnp.asarray(hashes) < 0).sum())
try:
    listed = str(jnp.asarray(items.tolist()))
except OverflowError:
    listed = "OverflowError"
print(f"list: {listed}; array: {array} of 2 different items, jit {jitted[0]}, warnings {len(warned)}")
jax.config.update("jax_enable_x64", True)
wide = jnp.asarray(items).tolist()
print(f"hashes below zero, of 1000 that are above: {'500 or so' if 400 < below < 600 else below}; with 64 bits the array is {wide}")
assert listed == "OverflowError" and array == [705_032_704] * 2 and jitted == [705_032_705] * 2 and not warned
assert 400 < below < 600 and wide == items.tolist()
END
echo "as found: jax-makes-other-items-of-large-ids"
