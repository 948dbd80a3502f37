#!/usr/bin/env bash
# torchmetrics gives Recall, Precision, MRR and MAP of 0 to a right list when scores are log-probabilities.
#
# Guess beforehand: only the order of scores matters to a ranking metric, as for NDCG and HitRate of the same module.
# Found: four of its retrieval metrics set the relevance of every item with a score of 0 or less to zero before they rank. The
# right item on the first place with the score -1 has HitRate@3 and NDCG@3 of 1, but Recall@3, Precision@3, MRR and MAP of 0.
# The same scores plus 10 give 1 (Precision one third). Nothing warns.
# Why it matters: beam scores are sums of log-probabilities and dot products have both signs. A table with NDCG and Recall of
# one run then shows two different runs, and for dot products the loss is partial, so that it is not noticed.
# Output seen:
#   log-probabilities: HitRate 1.0, NormalizedDCG 1.0, Recall 0.0, Precision 0.0, MRR 0.0, MAP 0.0
#   the same plus 10: HitRate 1.0, NormalizedDCG 1.0, Recall 1.0, Precision 0.333, MRR 1.0, MAP 1.0
# Usage: bash findings/torchmetrics-ignores-scores-below-zero.sh   (installs torchmetrics==1.9.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from torchmetrics import retrieval

names = ("HitRate", "NormalizedDCG", "Recall", "Precision", "MRR", "MAP")
scores = torch.tensor([-1.0, -2.0, -3.0, -4.0])
bought = torch.tensor([1, 0, 0, 0])
user = torch.zeros(4, dtype=torch.long)
found = {}
for title, shift in (("log-probabilities", 0.0), ("the same plus 10", 10.0)):
    values = {name: round(float(getattr(retrieval, f"Retrieval{name}")(top_k=3)(scores + shift, bought, user)), 3) for name in names}
    found[shift] = values
    print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in values.items()))
assert list(found[0.0].values()) == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
assert list(found[10.0].values()) == [1.0, 1.0, 1.0, 0.333, 1.0, 1.0]
END
echo "as found: torchmetrics-ignores-scores-below-zero"
