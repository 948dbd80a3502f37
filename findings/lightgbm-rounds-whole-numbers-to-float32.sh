#!/usr/bin/env bash
# LightGBM cannot tell two seconds of one minute apart in an integer matrix, and can in the same matrix of floats.
#
# Guess beforehand: int64 values are read as double, as a float64 matrix is, and the trees are the same.
# Found: a NumPy matrix that is neither float32 nor float64 is copied to float32, for training and for prediction. Unix seconds of today then come
# in steps of 128, item numbers above 16.7 million merge in twos. A label that is the first half of a minute is learned with one leaf from
# int64 (right for half of the rows), and without a fault from float64 or from a pandas column of int64.
# Why it matters: times, prices in cents and hashed ids are the whole numbers of a reranker's table. Nothing is logged, the model is
# just worse; to_numpy() before the training call is enough to lose them.
# Output seen:
#   right: int64 matrix 0.5, float64 matrix 1.0, pandas int64 1.0, int64 seconds since the first 1.0
# Usage: bash findings/lightgbm-rounds-whole-numbers-to-float32.sh   (installs lightgbm==4.7.0 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lightgbm==4.7.0 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
import lightgbm as lgb
import numpy as np
import pandas as pd

first = 1_700_000_000
seconds = np.tile(np.arange(first, first + 60), 50)
early = (seconds < first + 30).astype(float)
settings = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 1, "num_leaves": 4}
tables = {
    "int64 matrix": seconds[:, None],
    "float64 matrix": seconds[:, None].astype(np.float64),
    "pandas int64": pd.DataFrame({"seconds": seconds}),
    "int64 seconds since the first": seconds[:, None] - first,
}
right = {}
for name, table in tables.items():
    model = lgb.train(settings, lgb.Dataset(table, early), 5)
    right[name] = float(((model.predict(table) > 0.5) == early).mean())
print("right:", ", ".join(f"{name} {value}" for name, value in right.items()))
assert list(right.values()) == [0.5, 1.0, 1.0, 1.0]
END
echo "as found: lightgbm-rounds-whole-numbers-to-float32"
