#!/usr/bin/env bash
# For ranks in unsigned numbers, scipy's paired t test finds the model that is named first to have the larger ranks, whichever of the two it
# is.
#
# Guess beforehand: a test turns its input into floats first, and ttest_rel(a, b) is ttest_rel(b, a) with the other sign.
# Found: ttest_rel subtracts the two arrays as they are. 3 - 4 of uint8 is 255, so a rank that is one smaller counts as one that is 255
# larger. Then t is above 10 and p below a millionth in both orders; in floats and signed numbers t is above 10 in one order and below -10
# in the other. uint16 and uint32 do the same. wilcoxon gives the right p for all of them. No warning.
# Why it matters: places of the right item are whole numbers from 1 on, and uint8 or uint16 saves memory. Named first, the better model is
# found to be the worse one, with a p value as small as one hopes for.
# Output seen:
#   t of (worse, better) and (better, worse): float64 + -, int64 + -, uint8 + +, uint16 + +, uint32 + +
#   p below a millionth for all True; mean ranks 53.7 and 52.9; wilcoxon has one p for all True
# Usage: bash findings/scipy-paired-t-test-condemns-the-model-that-is-named-first.sh   (installs scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
from scipy import stats

rng = np.random.default_rng(0)
better = rng.integers(2, 100, 400)
worse = better + rng.choice([-1, 1, 2], 400, p=[0.3, 0.4, 0.3])
kinds = ("float64", "int64", "uint8", "uint16", "uint32")
tests = {kind: [stats.ttest_rel(a.astype(kind), b.astype(kind)) for a, b in ((worse, better), (better, worse))] for kind in kinds}
signs = {kind: " ".join("+" if test.statistic > 0 else "-" for test in pair) for kind, pair in tests.items()}
small = all(test.pvalue < 1e-6 for pair in tests.values() for test in pair)
same = len({float(stats.wilcoxon(worse.astype(kind), better.astype(kind)).pvalue) for kind in kinds}) == 1
print("t of (worse, better) and (better, worse): " + ", ".join(f"{kind} {sign}" for kind, sign in signs.items()))
print(f"p below a millionth for all {small}; mean ranks {worse.mean():.1f} and {better.mean():.1f}; wilcoxon has one p for all {same}")
assert signs["float64"] == signs["int64"] == "+ -" and small and same
assert all(signs[kind] == "+ +" for kind in ("uint8", "uint16", "uint32"))
assert all(abs(test.statistic) > 10 for pair in tests.values() for test in pair)
END
echo "as found: scipy-paired-t-test-condemns-the-model-that-is-named-first"
