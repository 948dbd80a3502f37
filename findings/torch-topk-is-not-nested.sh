#!/usr/bin/env bash
# The first 10 of torch.topk(50) are not torch.topk(10) when scores tie, on a CPU and with sorted=True.
#
# Guess beforehand: ties come in some order, but in the same order for every k, so a list of 10 is the head of a list of 50.
# Found: the two hold different items, and neither holds the tied items with the smallest positions.
# Why it matters: counts, word matches and rounded (bfloat16) scores tie often. Recall@10 taken from the head of 50 then
# differs from Recall@10 of a list of 10, for the same model and the same scores. A stable sort has no such trouble.
# Output seen:
#   100 scores of 5 values: the same items False, smallest positions first False
#   20000 scores of 5 values: the same items False, smallest positions first False
#   stable sort: nested True
# Usage: bash findings/torch-topk-is-not-nested.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch

torch.manual_seed(0)
for size in (100, 20000):
    scores = torch.randint(0, 5, (1, size)).float()
    ten, fifty = scores.topk(10).indices[0], scores.topk(50).indices[0]
    same = set(ten.tolist()) == set(fifty[:10].tolist())
    smallest = (scores[0] == scores.max()).nonzero().flatten()[:10]
    first = ten.tolist() == smallest.tolist()
    print(size, f"scores of 5 values: the same items {same}, smallest positions first {first}")
    assert not same and not first
    order = torch.sort(scores, descending=True, stable=True).indices[0]
    assert order[:10].tolist() == smallest.tolist()
print("stable sort: nested True")
END
echo "as found: torch-topk-is-not-nested"
