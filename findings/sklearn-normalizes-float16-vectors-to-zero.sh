#!/usr/bin/env bash
# scikit-learn's normalize makes zero vectors of float16 vectors whose length is above 256, and says nothing.
#
# Guess beforehand: it computes in float32 or float64, as cosine_similarity of the same package does, and rounds at the end.
# Found: squares are added in float16, where the largest number is 65,504. Of a vector of length 333 the sum is infinite and the result 0 in
# every place; of one of length 0.0008, all squares are 0 and it stays as it is. What lies between is right. No warning, as
# the sum is einsum's. cosine_similarity of the first with itself is 1. The same vectors as float32 have the length 1.
# Why it matters: states of language models have lengths of some hundreds, and float16 is how tables of item vectors are stored. All
# zero vectors have the distance 0 from one another: the first items of the table are everybody's neighbours.
# Output seen:
#   lengths before 332.5538, 27.7128, 0.0008: after normalize float16 0.0, 0.9997, 0.0008, float32 1.0, 1.0, 1.0; warnings 0
#   cosine_similarity of the first with itself 1.0
# Usage: bash findings/sklearn-normalizes-float16-vectors-to-zero.sh   (installs scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import warnings

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

vectors = np.ones((3, 768), np.float16) * np.array([[12], [1], [3e-5]], np.float16)


def lengths(array: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in np.linalg.norm(array.astype(np.float64), axis=1)]


with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    half = lengths(normalize(vectors))
single, before = lengths(normalize(vectors.astype(np.float32))), lengths(vectors)
itself = float(cosine_similarity(vectors[:1])[0, 0])
text = ["{}, {}, {}".format(*values) for values in (before, half, single)]
print(f"lengths before {text[0]}: after normalize float16 {text[1]}, float32 {text[2]}; warnings {len(told)}")
print(f"cosine_similarity of the first with itself {round(itself, 4)}")
assert half[0] == 0 and abs(half[1] - 1) < 0.01 and half[2] < 0.01 and single == [1.0, 1.0, 1.0]
assert not told and abs(itself - 1) < 0.001
END
echo "as found: sklearn-normalizes-float16-vectors-to-zero"
