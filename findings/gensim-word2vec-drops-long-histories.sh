#!/usr/bin/env bash
# gensim's Word2Vec (item2vec) never trains on what a user did after the 10,000th item.
#
# Guess beforehand: a history of any length is cut into windows, so its length does not matter.
# Found: of one history of 12,000 items, the 2,000 last are left out in every epoch. Items that occur only there stay in the
# vocabulary with the random vectors they began with, and are returned as neighbours. Nothing is logged as lost.
# Why it matters: catalogues of plays and clicks have such users, and shops' kiosk accounts are the longest histories of all.
# Output seen:
#   items of the first 10,000 places that moved: 1.0; items of the last 2,000 that moved: 0.0
# Usage: bash findings/gensim-word2vec-drops-long-histories.sh   (installs gensim==4.4.0 scipy==1.16.3 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check gensim==4.4.0 scipy==1.16.3 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from gensim.models import Word2Vec

history = [f"early-{n % 50}" for n in range(10_000)] + [f"late-{n % 50}" for n in range(2_000)]
model = Word2Vec(vector_size=8, min_count=1, sample=0, workers=1, seed=1)
model.build_vocab([history])
start = model.wv.vectors.copy()
model.train([history], total_examples=1, epochs=5)
moved = np.abs(model.wv.vectors - start).max(axis=1) > 0
share = {kind: float(np.mean([moved[model.wv.key_to_index[f"{kind}-{n}"]] for n in range(50)])) for kind in ("early", "late")}
print(f"items of the first 10,000 places that moved: {share['early']}; items of the last 2,000 that moved: {share['late']}")
assert share == {"early": 1.0, "late": 0.0}
END
echo "as found: gensim-word2vec-drops-long-histories"
