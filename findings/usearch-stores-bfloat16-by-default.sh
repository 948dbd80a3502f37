#!/usr/bin/env bash
# usearch keeps float32 vectors in bfloat16 unless told otherwise, and gives the rounded ones back.
#
# Guess beforehand: an index made without dtype keeps the type of what is added.
# Found: Index(ndim=...) has dtype BF16. get() returns float32 arrays that were rounded to 8 bits of mantissa. Two items whose
# vectors differ by less than that share one vector, so the nearest neighbour of an item need not be itself.
# Why it matters: semantic IDs made from vectors that went through such an index differ from those made before.
# Output seen:
#   default BF16: largest change 0.0078; f32: largest change 0.0
#   two items that differ by 0.001 are equal: default True, f32 False
# Usage: bash findings/usearch-stores-bfloat16-by-default.sh   (installs usearch==2.26.6 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from usearch.index import Index

rng = np.random.default_rng(0)
vectors = np.clip(rng.normal(size=(100, 64)), -3.9, 3.9).astype(np.float32)
twin = np.full((2, 64), 1.0, np.float32)
twin[1] += 0.001
change, equal = {}, {}
for name, options in (("default", {}), ("f32", {"dtype": "f32"})):
    index = Index(ndim=64, metric="cos", **options)
    index.add(np.arange(102), np.concatenate([vectors, twin]))
    change[name] = float(np.abs(index.get(np.arange(100)) - vectors).max())
    equal[name] = bool((index.get(100) == index.get(101)).all())
    kind = index.dtype.name
    if name == "default":
        assert kind == "BF16", kind
print(f"default BF16: largest change {change['default']:.4f}; f32: largest change {change['f32']}")
print(f"two items that differ by 0.001 are equal: default {equal['default']}, f32 {equal['f32']}")
assert change["f32"] == 0 and 0.004 < change["default"] <= 0.0157
assert equal == {"default": True, "f32": False}
END
echo "as found: usearch-stores-bfloat16-by-default"
