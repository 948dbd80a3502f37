#!/usr/bin/env bash
# cornac gives the AUC 0.0 to a model that scores all items alike, and scikit-learn gives it 0.5.
#
# Guess beforehand: a tie is half a pair that is right: equal scores have the AUC of chance.
# Found: cornac counts a pair only if the right item has the larger score. All scores equal is 0.0, as bad as the reverse of the truth. A
# model that knows three levels of popularity and nothing else has 0.6 in scikit-learn and 0.44 in cornac: worse than chance. A noise of a
# billionth on the scores brings both together.
# Why it matters: popularity baselines, counts, stars and scores in small floats have many ties. They look worse than chance, the learned
# model beats them by a wide margin, and the margin is made of ties.
# Output seen:
#   all equal: cornac 0.0, scikit-learn 0.5; three levels: cornac 0.44, scikit-learn 0.6; with noise: cornac 0.6, scikit-learn 0.6
# Usage: bash findings/cornac-auc-of-equal-scores-is-zero.sh   (installs cornac==3.0.1 scikit-learn==1.8.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check cornac==3.0.1 scikit-learn==1.8.0 numpy==2.4.6
env/bin/python - <<'END'
import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    from cornac.metrics import AUC
import numpy as np
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(0)
bought = np.zeros(900, bool)
levels = np.repeat([0.0, 1.0, 2.0], 300)
bought[rng.choice(900, 200, replace=False, p=(levels + 2) / (levels + 2).sum())] = True


def both(scores: np.ndarray) -> tuple[float, float]:
    ours = AUC().compute(item_indices=np.arange(900), pd_scores=scores, gt_pos=np.flatnonzero(bought))
    return round(float(ours), 2), round(float(roc_auc_score(bought, scores)), 2)


found = {"all equal": both(np.zeros(900)), "three levels": both(levels), "with noise": both(levels + 1e-9 * rng.random(900))}
print("; ".join(f"{name}: cornac {ours}, scikit-learn {true}" for name, (ours, true) in found.items()))
assert found["all equal"] == (0.0, 0.5) and found["three levels"][0] < 0.5 < found["three levels"][1]
assert abs(found["with noise"][0] - found["with noise"][1]) < 0.02
END
echo "as found: cornac-auc-of-equal-scores-is-zero"
