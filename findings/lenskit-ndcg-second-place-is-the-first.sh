#!/usr/bin/env bash
# LensKit's NDCG is 1.0 when the right item stands on the second place.
#
# Guess beforehand: the second place is worth 1 / log2(3), 0.631 of the first, as in other packages.
# Found: with default settings, place n is discounted by log2(n), and the first two places by 1. So the NDCG of one right item is 1.0,
# 1.0, 0.631 and 0.5 on the places 1 to 4, where ranx gives 1.0, 0.631, 0.5 and 0.431. LogRankWeight(offset=1) is the usual discount.
# Why it matters: figures of the two packages for the same lists differ by up to 58 percent, and a change that swaps the first
# two places cannot be seen. The name and the range of the metric are the same.
# Output seen:
#   LensKit [1.0, 1.0, 0.631, 0.5], ranx [1.0, 0.631, 0.5, 0.431], LensKit with offset 1 [1.0, 0.631, 0.5, 0.431]
# Usage: bash findings/lenskit-ndcg-second-place-is-the-first.sh   (installs lenskit==2025.8.1 ranx==0.3.21 torch==2.13.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lenskit==2025.8.1 ranx==0.3.21 torch==2.13.0
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
from lenskit.data import ItemList
from lenskit.metrics import NDCG
from lenskit.metrics.ranking import LogRankWeight
from ranx import Qrels, Run, evaluate

found: dict[str, list[float]] = {"LensKit": [], "ranx": [], "LensKit with offset 1": []}
for place in range(4):
    items = ["right" if n == place else f"other {n}" for n in range(4)]
    ordered, bought = ItemList(items, ordered=True), ItemList(["right"])
    found["LensKit"].append(round(float(NDCG().measure_list(ordered, bought)), 3))
    found["LensKit with offset 1"].append(round(float(NDCG(weight=LogRankWeight(offset=1)).measure_list(ordered, bought)), 3))
    run = {"ann": {item: 4.0 - n for n, item in enumerate(items)}}
    found["ranx"].append(round(float(evaluate(Qrels({"ann": {"right": 1}}), Run(run), "ndcg")), 3))
print(", ".join(f"{name} {values}" for name, values in found.items()))
usual = [1.0, 0.631, 0.5, 0.431]
assert found == {"LensKit": [1.0, 1.0, 0.631, 0.5], "ranx": usual, "LensKit with offset 1": usual}
END
echo "as found: lenskit-ndcg-second-place-is-the-first"
