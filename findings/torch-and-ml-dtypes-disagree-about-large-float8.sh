#!/usr/bin/env bash
# The number 500 in float8_e4m3fn is 448 for torch and NaN for ml_dtypes (JAX, onnx and others build on it).
#
# Guess beforehand: one format, one conversion: both give NaN, as the format has no infinity, or both the largest number.
# Found: torch gives 448, the largest number, to everything above it, also to infinity. ml_dtypes gives NaN to what is larger than 464.
# In float8_e5m2, which has an infinity, the two agree on all five numbers: infinity stays infinity.
# Why it matters: vectors of items and caches of keys are kept in float8. A dimension of a language model that is larger than the scale
# expects is cut in one tool and makes the whole dot product NaN in the other.
# Output seen:
#   float8_e4m3fn of 448, 460, 470, 10000, inf: torch [448.0, 448.0, 448.0, 448.0, 448.0], ml_dtypes [448.0, 448.0, nan, nan, nan]
#   float8_e5m2: the same True, infinity kept True
# Usage: bash findings/torch-and-ml-dtypes-disagree-about-large-float8.sh   (installs torch==2.13.0 ml_dtypes==0.6.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 ml_dtypes==0.6.0 numpy==2.4.6
env/bin/python - <<'END'
import ml_dtypes
import numpy as np
import torch

values = np.array([448, 460, 470, 10_000, np.inf], np.float32)


def both(name: str) -> tuple[list[float], list[float]]:
    there = torch.tensor(values).to(getattr(torch, name)).float().tolist()
    return there, values.astype(getattr(ml_dtypes, name)).astype(np.float32).tolist()


(torch_fn, other_fn), (torch_5, other_5) = both("float8_e4m3fn"), both("float8_e5m2")
print(f"float8_e4m3fn of 448, 460, 470, 10000, inf: torch {torch_fn}, ml_dtypes {other_fn}")
print(f"float8_e5m2: the same {torch_5 == other_5}, infinity kept {torch_5[-1] == np.inf}")
assert torch_fn == [448.0] * 5 and other_fn[:2] == [448.0] * 2 and np.isnan(other_fn[2:]).all()
assert torch_5 == other_5 and torch_5[-1] == np.inf
END
echo "as found: torch-and-ml-dtypes-disagree-about-large-float8"
