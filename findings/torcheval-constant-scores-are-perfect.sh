#!/usr/bin/env bash
# torcheval gives a hit rate and a reciprocal rank of 1 to a recommender that scores all items alike, or with NaN.
#
# Guess beforehand: ties are broken in some order or averaged, so a constant scorer is near chance. NaN scores never hit.
# Found: the rank of the right item is the number of items with a larger score. With equal scores nothing is larger, so the rank
# is the first for everybody: HitRate@1 and reciprocal rank are 1.0 over 100 items. NaN compares as not larger, too: perfect.
# Why it matters: collapsed and diverged models, popularity counts and bfloat16 scores tie. The metric rises when training fails,
# and a search over settings picks the broken run.
# Output seen:
#   all scores 0: hit rate at 1 is 1.0, reciprocal rank 1.0
#   all scores nan: hit rate at 1 is 1.0, reciprocal rank 1.0
#   random scores: hit rate at 1 below 0.1
# Usage: bash findings/torcheval-constant-scores-are-perfect.sh   (installs torcheval==0.0.7 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torcheval==0.0.7 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from torcheval.metrics.functional import hit_rate, reciprocal_rank

torch.manual_seed(0)
bought = torch.arange(100).repeat(10)
for value in (0.0, float("nan")):
    scores = torch.full((1000, 100), value)
    hits, ranks = float(hit_rate(scores, bought, k=1).mean()), float(reciprocal_rank(scores, bought).mean())
    print(f"all scores {value:g}: hit rate at 1 is {hits}, reciprocal rank {ranks}")
    assert (hits, ranks) == (1.0, 1.0)
chance = float(hit_rate(torch.rand(1000, 100), bought, k=1).mean())
assert chance < 0.1, chance
print("random scores: hit rate at 1 below 0.1")
END
echo "as found: torcheval-constant-scores-are-perfect"
