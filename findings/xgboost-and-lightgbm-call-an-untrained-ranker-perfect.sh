#!/usr/bin/env bash
# XGBoost and LightGBM give NDCG and MAP of 1.0 to a ranker that has learned nothing, if the purchase is the first row of each session.
#
# Guess beforehand: equal scores have the NDCG of a random order, 0.45 for one purchase among ten items; or the worst.
# Found: equal scores keep the order of the rows. One purchase and nine items that were drawn as negatives behind it, all features 0:
# NDCG@10, MAP@10 and precision at 1 are 1.0. With the purchase as the last row NDCG is 0.29. AUC is 0.5 both times. A tree with few leaves
# makes many ties, so that less training looks better: of a weak but true signal, early stopping on rows in this order keeps the first tree
# of XGBoost, and on rows of the same kind in a random order more than 20.
# Why it matters: purchase first and negatives behind it is how such tables are made. The figure of the validation falls with what the model
# learns, early stopping takes the model that knows least, and a search of settings finds the coarsest trees.
# Output seen:
#   untrained, purchase first: XGBoost 1.00, LightGBM 1.00; purchase last: XGBoost 0.29, LightGBM 0.29
#   trees kept by early stopping: purchase first 1, rows shuffled more than 20
# Usage: bash findings/xgboost-and-lightgbm-call-an-untrained-ranker-perfect.sh   (installs xgboost-cpu==3.2.0 lightgbm==4.7.0 numpy==2.4.6 scipy==1.17.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check xgboost-cpu==3.2.0 lightgbm==4.7.0 numpy==2.4.6 scipy==1.17.1
env/bin/python - <<'END'
import os

os.environ["OMP_NUM_THREADS"] = "1"
import lightgbm
import numpy as np
import xgboost

rng = np.random.default_rng(0)
SESSIONS = 300
first, sessions = np.tile([1] + [0] * 9, SESSIONS), np.repeat(np.arange(SESSIONS), 10)


def by_xgboost(labels: np.ndarray) -> float:
    rows, found = xgboost.DMatrix(np.zeros((len(labels), 1)), labels, qid=sessions), {}
    settings = {"objective": "rank:ndcg", "eval_metric": "ndcg@10", "nthread": 1}
    xgboost.train(settings, rows, 1, evals=[(rows, "rows")], evals_result=found, verbose_eval=False)
    return found["rows"]["ndcg@10"][0]


def by_lightgbm(labels: np.ndarray) -> float:
    rows, found = lightgbm.Dataset(np.zeros((len(labels), 1)), labels, group=[10] * SESSIONS), {}
    settings = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [10], "verbose": -1, "num_threads": 1}
    lightgbm.train(settings, rows, 1, valid_sets=[rows], valid_names=["rows"], callbacks=[lightgbm.record_evaluation(found)])
    return float(found["rows"]["ndcg@10"][0])


def trees(shuffled: bool) -> int:
    """Trees that early stopping keeps, on sessions of one order of rows."""
    features = rng.normal(size=(2 * SESSIONS * 10, 4))
    labels = np.zeros(len(features), int)
    for begin in range(0, len(features), 10):
        best = begin + int((features[begin : begin + 10].sum(1) + 6 * rng.normal(size=10)).argmax())
        features[[begin, best]] = features[[best, begin]]
        labels[begin] = 1
        if shuffled:
            order = begin + rng.permutation(10)
            features[begin : begin + 10], labels[begin : begin + 10] = features[order], labels[order]
    half = SESSIONS * 10
    train, valid = (xgboost.DMatrix(features[part], labels[part], qid=sessions) for part in (slice(half), slice(half, None)))
    settings = {"objective": "rank:ndcg", "eval_metric": "ndcg@10", "nthread": 1, "max_depth": 2, "eta": 0.1}
    model = xgboost.train(settings, train, 200, evals=[(valid, "valid")], early_stopping_rounds=20, verbose_eval=False)
    return model.best_iteration + 1


found = {name: (by_xgboost(labels), by_lightgbm(labels)) for name, labels in (("first", first), ("last", first[::-1].copy()))}
kept = trees(False), trees(True)
print("untrained, " + "; ".join(f"purchase {name}: XGBoost {one:.2f}, LightGBM {two:.2f}" for name, (one, two) in found.items()))
print(f"trees kept by early stopping: purchase first {kept[0]}, rows shuffled {'more than 20' if kept[1] > 20 else kept[1]}")
assert found["first"] == (1.0, 1.0) and max(found["last"]) < 0.3 and kept[0] == 1 and kept[1] > 20
END
echo "as found: xgboost-and-lightgbm-call-an-untrained-ranker-perfect"
