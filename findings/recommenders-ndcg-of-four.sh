#!/usr/bin/env bash
# Recommenders gives an NDCG of 4, a MAP of 3 and a precision of 2 to a user who bought one item twice.
#
# Guess beforehand: no ranking metric exceeds 1; a repeated row of the test table counts once, or is refused.
# Found: test rows and list are joined by user and item, so each repeat adds a hit, and the sums are divided as if hits were
# different places. One right item on the first place, bought twice in the test period: precision 2, NDCG 4, MAP 3 at 1. Only recall
# stays at 1. Without the repeat all four are 1. Nothing warns, and a mean over users hides figures above 1.
# Why it matters: logs of groceries, plays and clicks hold repeats. The users who buy the same again raise the mean most, so the
# table favours models that repeat purchases, beyond what they earn.
# Output seen:
#   bought twice: precision 2.0, recall 1.0, ndcg 4.0, map 3.0; bought once: precision 1.0, recall 1.0, ndcg 1.0, map 1.0
# Usage: bash findings/recommenders-ndcg-of-four.sh   (installs recommenders==1.2.1 (without its dependencies) pandas==2.3.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==2.3.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python -m pip install --quiet --disable-pip-version-check --no-deps recommenders==1.2.1
env/bin/python - <<'END'
import pandas as pd
from recommenders.evaluation.python_evaluation import map_at_k, ndcg_at_k, precision_at_k, recall_at_k

metrics = {"precision": precision_at_k, "recall": recall_at_k, "ndcg": ndcg_at_k, "map": map_at_k}
ranked = pd.DataFrame({"userID": [1, 1, 1], "itemID": [7, 8, 9], "prediction": [3.0, 2.0, 1.0]})


def measured(times: int) -> dict[str, float]:
    bought = pd.DataFrame({"userID": [1] * times, "itemID": [7] * times, "rating": [1.0] * times})
    return {name: float(metric(bought, ranked, k=1)) for name, metric in metrics.items()}


twice, once = measured(2), measured(1)
print("bought twice:", ", ".join(f"{name} {value}" for name, value in twice.items()), end="; ")
print("bought once:", ", ".join(f"{name} {value}" for name, value in once.items()))
assert twice == {"precision": 2.0, "recall": 1.0, "ndcg": 4.0, "map": 3.0} and set(once.values()) == {1.0}
END
echo "as found: recommenders-ndcg-of-four"
