#!/usr/bin/env bash
# LightGBM reports NDCG and MAP of 0.95 for a ranker that puts every purchase last.
#
# Guess beforehand: a session without a purchase has no NDCG: it is left out, or counts as 0 (as in scikit-learn's ndcg_score).
# Found: such a session counts as 1.0, in ndcg and in map. 40 sessions of ten items, two with a purchase, which stands on the last
# place: ndcg@5 and map@5 are 38 / 40. Over the two sessions alone they are 0.
# Why it matters: most sessions of a shop end without a purchase. Validation figures then lie close to 1 and hardly move, early stopping
# compares the fourth digit, and a data set with more empty sessions looks like a better model.
# Output seen:
#   40 sessions: ndcg@5 0.95, map@5 0.95; the 2 sessions with a purchase: ndcg@5 0.0, map@5 0.0; scikit-learn, 40 sessions: 0.0
# Usage: bash findings/lightgbm-ndcg-of-sessions-without-a-purchase.sh   (installs lightgbm==4.7.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lightgbm==4.7.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import lightgbm as lgb
import numpy as np
from sklearn.metrics import ndcg_score

places = 10
scores = -np.arange(float(places))


def measured(bought: np.ndarray) -> dict[str, float]:
    """ndcg@5 and map@5 of lists in the order of ``scores``; the one tree that is added changes nothing."""
    noise = np.random.default_rng(0).normal(size=(bought.size, 1))
    table = lgb.Dataset(noise, bought.ravel(), group=[places] * len(bought), init_score=np.tile(scores, len(bought)))
    settings = {"objective": "lambdarank", "metric": ["ndcg", "map"], "eval_at": [5], "verbose": -1, "learning_rate": 1e-9}
    found: dict = {}
    lgb.train({**settings, "min_data_in_leaf": 1}, table, 1, valid_sets=[table], callbacks=[lgb.record_evaluation(found)])
    return {name: float(values[0]) for name, values in found["training"].items()}


bought = np.zeros((40, places))
bought[:2, -1] = 1
every, two = measured(bought), measured(bought[:2])
other = float(ndcg_score(bought, np.tile(scores, (40, 1)), k=5))
print(f"40 sessions: ndcg@5 {every['ndcg@5']}, map@5 {every['map@5']}; the 2 sessions with a purchase:", end=" ")
print(f"ndcg@5 {two['ndcg@5']}, map@5 {two['map@5']}; scikit-learn, 40 sessions: {other}")
assert np.allclose(list(every.values()), 38 / 40) and np.allclose(list(two.values()), 0) and other == 0
END
echo "as found: lightgbm-ndcg-of-sessions-without-a-purchase"
