#!/usr/bin/env bash
# scikit-learn's log_loss gives the same clicks and the same predictions 3.5, 8.0 or 18.0, for float16, float32 and float64.
#
# Guess beforehand: the loss is computed in float64 whatever comes in; a certain answer that is wrong costs a fixed amount, or is
# infinite.
# Found: predictions are cut to [eps, 1 - eps], and eps is the rounding step of the type in which they come. A wrong 0 costs 6.9 in
# float16, 15.9 in float32 and 36.0 in float64. torch's binary_cross_entropy cuts the logarithm at -100 and says 50 in both types. The
# option eps, which fixed it at 1e-15, is gone.
# Why it matters: click models of PyTorch give float32 and LightGBM gives float64. One certain mistake in a thousand users adds 0.016 to
# one model and 0.036 to the other, more than models differ by; "halving the type" of saved predictions improves the loss.
# Output seen:
#   one of two predictions is wrong and certain: float16 3.5, float32 8.0, float64 18.0; torch float32 50.0, float64 50.0
# Usage: bash findings/sklearn-log-loss-depends-on-the-float-type.sh   (installs scikit-learn==1.9.1 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
import torch
from sklearn.metrics import log_loss

clicks, chances = [1, 0], [0.0, 0.0]
losses = {kind.__name__: round(float(log_loss(clicks, np.array(chances, kind), labels=[0, 1])), 1) for kind in (np.float16, np.float32, np.float64)}
other = [
    round(torch.nn.functional.binary_cross_entropy(torch.tensor(chances, dtype=kind), torch.tensor(clicks, dtype=kind)).item(), 1)
    for kind in (torch.float32, torch.float64)
]
print("one of two predictions is wrong and certain:", ", ".join(f"{kind} {loss}" for kind, loss in losses.items()) + f"; torch float32 {other[0]}, float64 {other[1]}")
assert losses == {"float16": 3.5, "float32": 8.0, "float64": 18.0} and other == [50, 50]
END
echo "as found: sklearn-log-loss-depends-on-the-float-type"
