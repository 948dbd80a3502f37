#!/usr/bin/env bash
# scikit-learn's KMeans predicts other clusters for its training data than it gave them, in float32 with a large common part.
#
# Guess beforehand: after fit, predict(X) is labels_ (fit_predict is documented as fit followed by predict).
# Found: fit subtracts the mean of the data first, predict does not. With float32 vectors around 50 that differ by 0.1, about one
# row of seven gets another cluster, and one of two for BisectingKMeans. Centred first, or in float64, all are equal. MiniBatchKMeans,
# which does not centre, agrees with itself.
# Why it matters: states of language models have a few dimensions that are hundreds of times larger than the rest. Items
# present at fit and the same items encoded later then get other codes.
# Output seen:
#   equal labels: KMeans 0.86, BisectingKMeans 0.49, float64 1.00, centred 1.00
# Usage: bash findings/sklearn-kmeans-predict-is-not-labels.sh   (installs scikit-learn==1.9.1 scipy==1.17.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.0 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from sklearn.cluster import BisectingKMeans, KMeans

rng = np.random.default_rng(0)
spread = rng.normal(size=(3000, 32)) * 0.1
items = (spread + 50).astype(np.float32)


def equal(model, data):
    return float((model.fit(data).labels_ == model.predict(data)).mean())


found = {
    "KMeans": equal(KMeans(50, random_state=0, n_init=1), items),
    "BisectingKMeans": equal(BisectingKMeans(50, random_state=0), items),
    "float64": equal(KMeans(50, random_state=0, n_init=1), items.astype(np.float64)),
    "centred": equal(KMeans(50, random_state=0, n_init=1), items - np.float32(50)),
}
print("equal labels: " + ", ".join(f"{name} {share:.2f}" for name, share in found.items()))
assert found["KMeans"] < 0.95 and found["BisectingKMeans"] < 0.9
assert found["float64"] == found["centred"] == 1.0
END
echo "as found: sklearn-kmeans-predict-is-not-labels"
