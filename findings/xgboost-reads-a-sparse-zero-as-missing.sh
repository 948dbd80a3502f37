#!/usr/bin/env bash
# XGBoost's error on its own training data rises from 0.01 to 15.6 when the same table is handed over as a sparse matrix.
#
# Guess beforehand: the format is storage; a matrix and its csr_matrix get the same predictions.
# Found: a zero that a sparse matrix does not store is a missing value for XGBoost, and a stored zero is 0. Rows with zeros go to the
# side of each split that missing values take, which a model trained on the dense table never learned. Training on the sparse one and
# predicting on the dense one is wrong as well. LightGBM gives equal predictions for both.
# Why it matters: rankers train on sparse features (counts, one-hot words and items) and are served one dense row at a time, or the
# other way round. The score is off for each user with a zero, with no message, and the offline metric does not see it.
# Output seen:
#   squared error, trained and read dense 0.011, trained dense and read sparse 15.6, trained sparse and read dense 0.490
#   LightGBM: largest difference of predictions 0.0
# Usage: bash findings/xgboost-reads-a-sparse-zero-as-missing.sh   (installs xgboost-cpu==3.2.0 lightgbm==4.7.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check xgboost-cpu==3.2.0 lightgbm==4.7.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import lightgbm
import numpy as np
import scipy.sparse as sparse
import xgboost

rng = np.random.default_rng(0)
counts = rng.poisson(1, size=(2000, 10)).astype(np.float32)
wanted = counts[:, 0] - counts[:, 1] + 0.1 * rng.normal(size=2000)
stored = sparse.csr_matrix(counts)


def error(trained, read) -> float:
    model = xgboost.XGBRegressor(n_estimators=20, max_depth=3, n_jobs=1).fit(trained, wanted)
    return float(((model.predict(read) - wanted) ** 2).mean())


both, to_sparse, to_dense = error(counts, counts), error(counts, stored), error(stored, counts)
model = lightgbm.LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1).fit(counts, wanted)
apart = float(np.abs(model.predict(counts) - model.predict(stored)).max())
print(f"squared error, trained and read dense {both:.3f}, trained dense and read sparse {to_sparse:.1f}, trained sparse and read dense {to_dense:.3f}")
print(f"LightGBM: largest difference of predictions {apart}")
assert both < 0.05 and to_sparse > 1 and to_dense > 3 * both and apart == 0
END
echo "as found: xgboost-reads-a-sparse-zero-as-missing"
