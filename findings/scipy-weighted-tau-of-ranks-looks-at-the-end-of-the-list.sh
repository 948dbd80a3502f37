#!/usr/bin/env bash
# scipy's weightedtau of places 1 to 5 forgives a swap of the two best items (0.90) and punishes a swap of the two worst (0.67).
#
# Guess beforehand: the weighted tau is for rankings: mistakes at the top cost more than mistakes at the end, for places as for scores.
# Found: it takes what it is given for scores, and the largest number for the top. Places have the best item at 1, so that all is turned
# around: the pair at the places 4 and 5 has the largest weight. Of the negated places the two values change places: 0.67 for the swap at
# the top, 0.90 at the end. Spearman's rho and Kendall's tau, called on the same arrays in the line above, do not care.
# Why it matters: the measure is taken to compare two lists where the head counts, and lists are held as places (rank(), enumerate,
# argsort of argsort). The better of two recommenders is then the one that is right where nobody looks.
# Output seen:
#   swap of the two best: places 0.90, negated places 0.67; swap of the two worst: places 0.67, negated places 0.90; kendalltau 0.80 in all four
# Usage: bash findings/scipy-weighted-tau-of-ranks-looks-at-the-end-of-the-list.sh   (installs scipy==1.17.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from scipy.stats import kendalltau, weightedtau

places = np.array([1, 2, 3, 4, 5])
swaps = {"best": np.array([2, 1, 3, 4, 5]), "worst": np.array([1, 2, 3, 5, 4])}
seen = {name: [round(float(weightedtau(sign * places, sign * other).statistic), 2) for sign in (1, -1)] for name, other in swaps.items()}
plain = {round(float(kendalltau(sign * places, sign * other).statistic), 2) for other in swaps.values() for sign in (1, -1)}
parts = [f"swap of the two {name}: places {one:.2f}, negated places {other:.2f}" for name, (one, other) in seen.items()]
print("; ".join(parts) + f"; kendalltau {plain.pop():.2f} in all four")
assert seen == {"best": [0.9, 0.67], "worst": [0.67, 0.9]} and not plain
END
echo "as found: scipy-weighted-tau-of-ranks-looks-at-the-end-of-the-list"
