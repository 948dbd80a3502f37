#!/usr/bin/env bash
# ranx's default normalisation gives the score 0 to an item that is the only one a recommender is sure to name.
#
# Guess beforehand: min-max of one value is undefined, so it is kept, or becomes 1, as it is the best of its list.
# Found: it becomes 0, the value of the worst item of a longer list. A content model that finds one item for a user, with a score of
# 0.9, adds nothing to the fused list: the item stands behind everything but the last item of the other model, with which it ties. Two items
# with equal scores both become 0, too. With norm="max" or "rank" the only item is 1.
# Why it matters: fusing a strict retriever (exact matches, cold items, rules) with a broad one is what fusion is for. Short and tied lists
# are where the strict one knows most, and this is where its vote is lost; min-max is the default of fuse and of optimize_fusion.
# Output seen:
#   min-max: x 0.0 (place 3 of 4), max: x 1.0, rank: x 1.0; two tied items: 0.0 and 0.0
# Usage: bash findings/ranx-fusion-makes-the-only-candidate-the-worst.sh   (installs ranx==0.3.21 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check ranx==0.3.21
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
from ranx import Run, fuse

broad = Run({"ann": {"w": 3.0, "y": 2.0, "z": 1.0}})


def fused(strict: dict[str, float], **options: str) -> dict[str, float]:
    run = fuse([Run({"ann": strict}), broad], method="sum", **options)
    return {item: float(score) for item, score in run.to_dict()["ann"].items()}


default, largest, rank = fused({"x": 0.9}), fused({"x": 0.9}, norm="max"), fused({"x": 0.9}, norm="rank")
tied = fused({"x": 0.9, "v": 0.9})
place = sum(score > default["x"] for score in default.values()) + 1
print(f"min-max: x {default['x']} (place {place} of {len(default)}), max: x {largest['x']}, rank: x {rank['x']};", end=" ")
print(f"two tied items: {tied['x']} and {tied['v']}")
assert default["x"] == tied["x"] == tied["v"] == 0.0 and default["y"] == 0.5 and largest["x"] == rank["x"] == 1.0
END
echo "as found: ranx-fusion-makes-the-only-candidate-the-worst"
