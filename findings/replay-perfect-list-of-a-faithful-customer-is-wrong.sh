#!/usr/bin/env bash
# RePlay gives NDCG 0.47 and MAP 0.33 to a perfect list, if the user bought the item three times. Recall and MRR are 1.0.
#
# Guess beforehand: what the user bought is a set of items; buying one again changes nothing.
# Found: the rows of the ground truth are counted as they are. A user who bought one item three times needs three right items for a perfect
# list, and no list can name an item three times. NDCG of the item on the first place is 0.47, MAP 0.33; HitRate, MRR and Recall count items
# once. Rows that are made unique before give 1.0. Of two users who bought two items each, the one who bought again has the lower ceiling.
# Why it matters: logs of shops, music and food are full of repeats, and a test part by time has them. The best possible model has an NDCG
# far below 1, users who buy often weigh as failures, and a model that serves only the others looks better.
# Output seen:
#   item bought once: NDCG@5 1.0, MAP@5 1.0, Recall@5 1.0, MRR@5 1.0; three times: NDCG@5 0.469, MAP@5 0.333, Recall@5 1.0, MRR@5 1.0
#   two models, each right for one of two users: right for the one who bought once NDCG 0.5, right for the one who bought three times NDCG 0.235
# Usage: bash findings/replay-perfect-list-of-a-faithful-customer-is-wrong.sh   (installs replay-rec==0.22.0 pandas==2.3.3 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check replay-rec==0.22.0 pandas==2.3.3 numpy==2.4.6
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import pandas as pd
from replay.metrics import MAP, MRR, NDCG, Recall


def table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["query_id", "item_id", "rating"][: len(rows[0])])


def score(metric: type, lists: list[tuple], bought: list[tuple]) -> float:
    return round(float(next(iter(metric(5)(table(lists), table(bought)).values()))), 3)


right = [(1, 7, 2.0), (1, 8, 1.0)]
found = {name: {metric.__name__: score(metric, right, [(1, 7)] * times) for metric in (NDCG, MAP, Recall, MRR)} for name, times in (("once", 1), ("three times", 3))}
bought = [(1, 7)] + [(2, 7)] * 3
models = [score(NDCG, [(1, 7 if user == 1 else 9, 1.0), (2, 7 if user == 2 else 9, 1.0)], bought) for user in (1, 2)]
print("item bought " + "; ".join(f"{name}: " + ", ".join(f"{metric}@5 {value}" for metric, value in values.items()) for name, values in found.items()))
print(f"two models, each right for one of two users: right for the one who bought once NDCG {models[0]}, right for the one who bought three times NDCG {models[1]}")
assert set(found["once"].values()) == {1.0} and list(found["three times"].values()) == [0.469, 0.333, 1.0, 1.0]
assert models == [0.5, 0.235]
END
echo "as found: replay-perfect-list-of-a-faithful-customer-is-wrong"
