#!/usr/bin/env bash
# statsmodels calls the difference of two equal models significant, and drops all other answers with it.
#
# Guess beforehand: a p-value of NaN stays NaN and is never rejected; the others are corrected as if it was not there, or it raises.
# Found: a t test of a model against an equal one has no p-value (0 / 0). Holm's step-down goes on until the first p-value that is above its
# limit; NaN is above nothing, and stands last, so it is rejected whenever all others are. "fdr_bh" gives NaN as corrected p-value of
# every comparison, although it rejects some. "bonferroni" counts NaN as a comparison. "holm-sidak", the default, does as "holm" does.
# Why it matters: an ablation that changes nothing (a switch that has no effect, a model compared with its copy) is what makes such a
# p-value; the table then has a star on the row of equal figures.
# Output seen:
#   p-values [0.0, 0.0, nan]; holm rejects [True, True, True]; default rejects [True, True, True]
#   fdr_bh rejects [True, True, False], corrected [nan, nan, nan]; without NaN [True, True], [0.0, 0.0]
# Usage: bash findings/statsmodels-holm-rejects-a-p-value-of-nan.sh   (installs statsmodels==0.15.0 scipy==1.17.1 pandas==2.3.3 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 pandas==2.3.3 numpy==2.4.6
env/bin/python - <<'END'
import warnings

import numpy as np
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

warnings.filterwarnings("ignore")
rng = np.random.default_rng(0)
base = rng.random(500)
models = [base + 0.05 + 0.1 * rng.random(500), base - 0.05 - 0.1 * rng.random(500), base.copy()]
p = [float(ttest_rel(model, base).pvalue) for model in models]


def told(values: list[float], **options: str) -> tuple[list[bool], list[float]]:
    reject, corrected = multipletests(values, **options)[:2]
    return reject.tolist(), corrected.round(4).tolist()


holm, default, fdr, clean = told(p, method="holm"), told(p), told(p, method="fdr_bh"), told(p[:2], method="fdr_bh")
print(f"p-values {np.round(p, 4).tolist()}; holm rejects {holm[0]}; default rejects {default[0]}")
print(f"fdr_bh rejects {fdr[0]}, corrected {fdr[1]}; without NaN {clean[0]}, {clean[1]}")
assert np.isnan(p[2]) and holm[0] == default[0] == [True, True, True]
assert fdr[0] == [True, True, False] and np.isnan(fdr[1]).all() and clean == ([True, True], [0.0, 0.0])
END
echo "as found: statsmodels-holm-rejects-a-p-value-of-nan"
