#!/usr/bin/env bash
# scipy's cosine distance of two int8 vectors is 0.0, that of equal vectors, where its cdist says 0.26. Of 1,000 pairs hardly one is right.
#
# Guess beforehand: distance.cosine(a, b) and cdist(a, b, "cosine") are one distance.
# Found: cdist makes floats of its input. cosine() multiplies the vectors in their own type, and sums of int8 wrap at 127: only the last 8
# bits of a product of vectors are left. Half of the pairs of 64 numbers raise a math error, as the wrapped lengths have different signs,
# and the others get a distance without a word: valid ones between 0 and 2, and wrong. In int16 it is the same. euclidean, cityblock and
# correlation of the same vectors are right.
# Why it matters: vectors of text models are stored as int8 to save memory, and pairs are compared by hand or in a loop that skips the pairs
# that fail. Near-duplicates are found where there are none, and a sound index looks broken beside it.
# Output seen:
#   two vectors: cosine 0.0, cdist 0.257; of 1,000 pairs right, within 0.01: int8 below 10, int16 below 10, float32 1000; wrong without an error: int8 above 200, int16 above 200
# Usage: bash findings/scipy-cosine-of-int8-vectors-is-not-that-of-cdist.sh   (installs scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import numpy as np
from scipy.spatial import distance

rng = np.random.default_rng(0)
pair = rng.integers(-127, 128, (2, 64)).astype(np.int8)
mixed = (pair[1] * 0.5 + pair[0] * 0.5).astype(np.int8)
one, other = float(distance.cosine(pair[0], mixed)), float(distance.cdist(pair[:1], mixed[None], "cosine")[0, 0])
vectors = rng.integers(-127, 128, (2000, 64))


def outcomes(kind: str) -> tuple[int, int]:
    """Pairs that are right, and pairs that are wrong without an error."""
    right = wrong = 0
    for a, b in zip(vectors[:1000].astype(kind), vectors[1000:].astype(kind), strict=True):
        true = distance.cdist(a[None], b[None], "cosine")[0, 0]
        try:
            close = abs(distance.cosine(a, b) - true) < 0.01
        except (ValueError, ZeroDivisionError):
            continue
        right, wrong = right + close, wrong + (not close)
    return int(right), int(wrong)


found = {kind: outcomes(kind) for kind in ("int8", "int16", "float32")}
rights = ", ".join(f"{kind} {'below 10' if right < 10 else right}" for kind, (right, _) in found.items())
wrongs = ", ".join(f"{kind} {'above 200' if found[kind][1] > 200 else found[kind][1]}" for kind in ("int8", "int16"))
print(f"two vectors: cosine {one}, cdist {other:.3f}; of 1,000 pairs right, within 0.01: {rights}; wrong without an error: {wrongs}")
assert one == 0 and 0.2 < other < 0.3 and found["float32"] == (1000, 0)
assert all(found[kind][0] < 10 and found[kind][1] > 200 for kind in ("int8", "int16"))
END
echo "as found: scipy-cosine-of-int8-vectors-is-not-that-of-cdist"
