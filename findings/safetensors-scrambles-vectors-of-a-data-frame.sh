#!/usr/bin/env bash
# safetensors.numpy writes the vectors of a data frame in a scrambled order, and reads them back without complaint.
#
# Guess beforehand: save writes the values of an array, however NumPy keeps them, as np.save does; or it raises, as the torch side does.
# Found: it copies the memory and writes the shape beside it. The table of a polars or pandas frame is kept column by column (Fortran order,
# contiguous), so the file has the right shape and the values in other places. np.ascontiguousarray before is the cure.
# Its text says "contiguous and dense", which such an array is for NumPy (flags.forc).
# Why it matters: item vectors come out of data frames, transposed matrices and LAPACK in this order. Shapes, mean, minimum and
# maximum of the file are right; every item has numbers of other items, and the metric of the model is near chance.
# Output seen:
#   polars: contiguous True, shape kept True, values kept False, sorted values kept True
#   pandas: contiguous True, shape kept True, values kept False, sorted values kept True
#   np.ascontiguousarray: values kept True
# Usage: bash findings/safetensors-scrambles-vectors-of-a-data-frame.sh   (installs safetensors==0.8.0 polars==2.1.0 pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check safetensors==0.8.0 polars==2.1.0 pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import pandas as pd
import polars as pl
from safetensors.numpy import load, save

vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
frames = {
    "polars": pl.DataFrame(vectors, schema=["a", "b", "c"]).to_numpy(),
    "pandas": pd.DataFrame({name: vectors[:, place].copy() for place, name in enumerate("abc")}).to_numpy(),
}
for name, array in frames.items():
    back = load(save({"items": array}))["items"]
    kept, values = back.shape == array.shape, np.array_equal(back, array)
    same = np.array_equal(np.sort(back.ravel()), np.sort(array.ravel()))
    print(f"{name}: contiguous {array.flags.forc}, shape kept {kept}, values kept {values}, sorted values kept {same}")
    assert np.array_equal(array, vectors) and array.flags.forc and kept and same and not values
back = load(save({"items": np.ascontiguousarray(frames["polars"])}))["items"]
print("np.ascontiguousarray: values kept", np.array_equal(back, vectors))
assert np.array_equal(back, vectors)
END
echo "as found: safetensors-scrambles-vectors-of-a-data-frame"
