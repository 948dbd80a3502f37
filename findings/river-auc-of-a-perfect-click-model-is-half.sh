#!/usr/bin/env bash
# river's ROCAUC of a model that ranks every click above everything else is 0.5, as that of chance.
#
# Guess beforehand: the curve is made of a few points, so the area is off in the second digit.
# Found: it is made of 10 thresholds from 0 to 1. Clicks are rare, and so all probabilities lie between 0.01 and 0.05, between two of them:
# one point is left, and the area is 0.5. For scikit-learn it is 1.0. The same scores stretched to 0 to 1 (times 20) give more than 0.9, so
# the figure depends on how large the numbers are and not on their order. n_thresholds=1000 gives 1.0.
# Why it matters: with click rates of some percent this is the usual case, and the usual metric. A model that learns well and one that
# is broken both show 0.5, and a better calibrated model has the worse figure.
# Output seen:
#   probabilities up to 0.05: river 0.50, with 1000 thresholds 1.00, scikit-learn 1.00; the same times 20: river 0.99
# Usage: bash findings/river-auc-of-a-perfect-click-model-is-half.sh   (installs river==0.26.1 scikit-learn==1.9.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check river==0.26.1 scikit-learn==1.9.1
env/bin/python - <<'END'
import random

from river import metrics
from sklearn.metrics import roc_auc_score

draw = random.Random(0)
clicks = [draw.random() < 0.02 for _ in range(5000)]
scores = [0.03 + 0.02 * draw.random() if click else 0.01 + 0.02 * draw.random() for click in clicks]


def area(factor: float, **settings) -> float:
    metric = metrics.ROCAUC(**settings)
    for click, score in zip(clicks, scores, strict=True):
        metric.update(click, factor * score)
    return metric.get()


small, many, large = area(1), area(1, n_thresholds=1000), area(20)
true = roc_auc_score(clicks, scores)
print(f"probabilities up to 0.05: river {small:.2f}, with 1000 thresholds {many:.2f}, scikit-learn {true:.2f}; the same times 20: river {large:.2f}")
assert small == 0.5 and true == 1 and many > 0.99 and large > 0.9
END
echo "as found: river-auc-of-a-perfect-click-model-is-half"
