#!/usr/bin/env bash
# implicit's item neighbours recommend what the user already bought, with the score 0, although they are told to leave it out.
#
# Guess beforehand: filter_already_liked_items=True leaves these items out; a short list stays short or is filled with -1.
# Found: their score is set to 0 and they stay in the list, behind the items that have a score. A user with two purchases and one
# neighbour asks for 5 items and gets three: the neighbour and both purchases. Factor models of the same package give them
# -3.4e38, which is at least easy to see; the score 0 is not, and the list gets no -1.
# Why it matters: small catalogues and new users have few neighbours. Lists then recommend purchases, and the hit rate of data with
# repeated purchases rises by items that were to be left out.
# Output seen:
#   items [2, 1, 0], scores [2.0, 0.0, 0.0]; bought before: [0, 1]
# Usage: bash findings/implicit-neighbours-recommend-what-was-bought.sh   (installs implicit==0.7.3 scipy==1.17.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
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
from implicit.nearest_neighbours import CosineRecommender

log = np.zeros((6, 8), np.float32)
log[:3, :3] = 1
log[3:, 4:7] = 1
model = CosineRecommender(K=8)
model.fit(sparse.csr_matrix(log), show_progress=False)
bought = sparse.csr_matrix(np.array([[1, 1, 0, 0, 0, 0, 0, 0]], np.float32))
items, scores = model.recommend(0, bought, N=5, filter_already_liked_items=True)
print(f"items {items.tolist()}, scores {[round(float(score), 3) for score in scores]}; bought before: {bought.indices.tolist()}")
assert items[0] == 2 and sorted(items[1:].tolist()) == bought.indices.tolist() and scores[1:].tolist() == [0.0, 0.0]
END
echo "as found: implicit-neighbours-recommend-what-was-bought"
