#!/usr/bin/env bash
# scipy's Wilcoxon test of two models gives p = 0.055 for recalls in tenths and p = 0.20 for the same recalls times ten.
#
# Guess beforehand: ranks do not depend on the scale; users who differ by one tenth are tied.
# Found: 10 users lose a tenth and 5 win one. 0.2 - 0.1 is 0.1, and 0.3 - 0.2 is 0.09999999999999998 in floating point, so that the test
# sees two sizes of differences: five of the lost tenths get the largest ranks, and all ties across are gone. The test of signs, which
# looks at no size, is the truth here: all differences are equal. Rounding the differences (np.round(x - y, 9)) gives 0.20 as whole
# numbers do. zero_method and the exact or normal way are not the cause: both calls take the same way.
# Why it matters: recall@k, hit rates and reciprocal ranks take few values, and most users tie in the size of what they differ. The
# p-value then hangs on which tenths they are, and the same table in percent gives another one.
# Output seen:
#   p of recalls in tenths 0.055, of hits (times ten) 0.197, of rounded differences 0.197; sizes that the test sees: 2
# Usage: bash findings/scipy-wilcoxon-finds-a-difference-in-the-last-bit.sh   (installs scipy==1.17.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
from scipy.stats import wilcoxon

ours = np.array([0.1] * 5 + [0.2] * 5 + [0.3] * 5)
theirs = np.array([0.2] * 5 + [0.3] * 5 + [0.2] * 5)
tenths = float(wilcoxon(ours, theirs).pvalue)
hits = float(wilcoxon(np.rint(ours * 10), np.rint(theirs * 10)).pvalue)
rounded = float(wilcoxon(np.round(ours - theirs, 9)).pvalue)
sizes = len(np.unique(np.abs(ours - theirs)))
print(f"p of recalls in tenths {tenths:.3f}, of hits (times ten) {hits:.3f}, of rounded differences {rounded:.3f}; sizes that the test sees: {sizes}")
assert tenths < 0.06 and hits > 0.15 and abs(hits - rounded) < 1e-9 and sizes == 2
END
echo "as found: scipy-wilcoxon-finds-a-difference-in-the-last-bit"
