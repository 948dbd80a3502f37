#!/usr/bin/env bash
# implicit's precision_at_k of one held-out item at 10 can be 1.0: it is a recall.
#
# Guess beforehand: precision at 10 is right places over 10 places, so at most 0.1 with one held-out item a user.
# Found: each user adds min(10, held-out items) to the denominator, not 10. With one held-out item (leave_k_out_split, K=1)
# precision_at_k(K=10) is the hit rate: ten times the usual precision. The figure also depends on how many items a user has.
# Why it matters: precision from this package is put beside RecTools, RecBole or trec_eval in tables, where it looks ten times
# better.
# Output seen:
#   implicit 1.0, right places over 10 places 0.1
# Usage: bash findings/implicit-precision-is-not-hits-over-k.sh   (installs implicit==0.7.3 scipy==1.17.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
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
from implicit.evaluation import precision_at_k
from implicit.nearest_neighbours import CosineRecommender

# 20 users bought the items 0 and 1; each of 20 test users bought 0 and is tested on 1
both, first = np.zeros((20, 15), np.float32), np.zeros((20, 15), np.float32)
both[:, :2] = 1
first[:, 0] = 1
both[0, 2:] = 1
train = sparse.csr_matrix(np.concatenate([both, first]))
test = sparse.csr_matrix((np.ones(20, np.float32), (np.arange(20, 40), np.ones(20, int))), shape=train.shape)
model = CosineRecommender(K=15)
model.fit(train, show_progress=False)
lists, _ = model.recommend(np.arange(20, 40), train[20:40], N=10)
plain = float(np.mean([(row == 1).sum() / 10 for row in lists]))
theirs = float(precision_at_k(model, train, test, K=10, show_progress=False))
print(f"implicit {theirs}, right places over 10 places {plain:.1f}")
assert theirs == 1.0 and abs(plain - 0.1) < 1e-9
END
echo "as found: implicit-precision-is-not-hits-over-k"
