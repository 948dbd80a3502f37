#!/usr/bin/env bash
# usearch fills the short rows of a batch search with key 0, which is a real item.
#
# Guess beforehand: missing neighbours are -1 (as in faiss), or the rows are cut.
# Found: 5 items in the index, 8 asked for two queries at once: keys is 2 x 8, its last three places are 0 with distance NaN,
# although 0 is the key of an item. A single query returns 5. `counts` is the only way to know.
# Why it matters: retrieve-then-rank code takes `matches.keys` and recommends item 0 to everybody whose list is short.
# Output seen:
#   one query: 5 keys; two queries: shape (2, 8), counts [5, 5], last keys [0, 0, 0], last distances [nan, nan, nan]
# Usage: bash findings/usearch-pads-batches-with-key-zero.sh   (installs usearch==2.26.6 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from usearch.index import Index

vectors = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
index = Index(ndim=16, metric="cos")
index.add(np.arange(5), vectors)
one = index.search(vectors[0], 8)
two = index.search(vectors[:2], 8)
keys, distances = two.keys[0][-3:].tolist(), two.distances[0][-3:]
print(f"one query: {len(one)} keys; two queries: shape {two.keys.shape}, counts {two.counts.tolist()}, last keys {keys}, last distances {distances.tolist()}")
assert len(one) == 5 and two.keys.shape == (2, 8) and two.counts.tolist() == [5, 5]
assert keys == [0, 0, 0] and np.isnan(distances).all()
END
echo "as found: usearch-pads-batches-with-key-zero"
