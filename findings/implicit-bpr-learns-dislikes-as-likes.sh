#!/usr/bin/env bash
# implicit's BPR recommends what is like the things that a user disliked: -1 in the matrix is a like, bit for bit, and a stored 0 is one,
# too.
#
# Guess beforehand: a weight of -1 is a dislike, as in the ALS of the same package, and a weight of 0 says nothing.
# Found: BayesianPersonalizedRanking reads where a value is stored, and never the value. Three matrices with the same places, with likes
# only, with every second one a dislike, and with zeros, give three equal models. AlternatingLeastSquares gives three different ones.
# Disliked items score as high as liked ones with BPR, far above those not seen; with ALS they are below those not seen. Nothing is
# logged.
# Why it matters: ratings below the mean are made negative, or set to 0 instead of being removed (multiply and subtraction leave stored
# zeros in a sparse matrix). Trying both models on one matrix compares one that avoids disliked items with one that seeks them.
# Output seen:
#   BPR: likes and mixture equal True, likes and zeros equal True; ALS: False, False
#   trained on the mixture, disliked items are nearer to liked than to unseen ones: BPR True, ALS False
# Usage: bash findings/implicit-bpr-learns-dislikes-as-likes.sh   (installs implicit==0.7.3 scipy==1.17.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check implicit==0.7.3 scipy==1.17.0 numpy==2.3.5
env/bin/python - <<'END'
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking

rng = np.random.default_rng(0)
likes = sparse.csr_matrix((rng.random((60, 40)) < 0.15).astype(np.float32))
mixture, zeros = likes.copy(), likes.copy()
mixture.data[::2] = -1
zeros.data[:] = 0
models = {
    "BPR": lambda: BayesianPersonalizedRanking(factors=16, learning_rate=0.1, random_state=1, num_threads=1, iterations=200),
    "ALS": lambda: AlternatingLeastSquares(factors=16, random_state=1, num_threads=1, iterations=20),
}


def scores(name: str, matrix: sparse.csr_matrix) -> np.ndarray:
    model = models[name]()
    model.fit(matrix, show_progress=False)
    return model.user_factors @ model.item_factors.T


equal, nearer = {}, {}
for name in models:
    learned, mixed, nothing = (scores(name, matrix) for matrix in (likes, mixture, zeros))
    equal[name] = (np.array_equal(learned, mixed), np.array_equal(learned, nothing))
    dense = mixture.toarray()
    liked, disliked, unseen = (float(mixed[places].mean()) for places in (dense > 0, dense < 0, likes.toarray() == 0))
    nearer[name] = abs(disliked - liked) < abs(disliked - unseen)
    assert liked > unseen + 0.2
print(f"BPR: likes and mixture equal {equal['BPR'][0]}, likes and zeros equal {equal['BPR'][1]}; ALS: {equal['ALS'][0]}, {equal['ALS'][1]}")
print(f"trained on the mixture, disliked items are nearer to liked than to unseen ones: BPR {nearer['BPR']}, ALS {nearer['ALS']}")
assert equal == {"BPR": (True, True), "ALS": (False, False)} and nearer == {"BPR": True, "ALS": False}
END
echo "as found: implicit-bpr-learns-dislikes-as-likes"
