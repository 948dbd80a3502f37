#!/usr/bin/env bash
# pandas gives prices between 1000 and 1010 a standard deviation of 8.0 in place of 2.9 once the package bottleneck is installed.
#
# Guess beforehand: bottleneck is an optional package that makes pandas faster; results are equal up to the last digits.
# Found: pandas hands std and var to bottleneck as soon as it can be imported. It adds float32 one after the other in float32, and NumPy
# adds in pairs. For a million prices the spread is 8.0; for a constant column of 4.2 it is 0.03 and not 0. mean() is right, as pandas
# does not hand it over, so only the spread is off. float64 columns are right, and pd.set_option("compute.use_bottleneck", False) is.
# describe() takes the wrong value, too.
# Why it matters: features are standardised by mean and std, and float32 is how they are kept. The same lines give other inputs on a
# machine where someone ran pip install "pandas[performance]", and constant columns pass the check for "std > 0".
# Output seen:
#   std of a million prices: with bottleneck 8.0, without 2.9, in float64 with bottleneck 2.9
#   std of a constant column: with bottleneck 0.03, without 0.0; mean of the prices: with 1005.0, without 1005.0
# Usage: bash findings/pandas-spread-of-prices-triples-with-bottleneck.sh   (installs pandas==3.1.1 bottleneck==1.6.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 bottleneck==1.6.0 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
prices = pd.Series((rng.random(1_000_000) * 10 + 1000).astype(np.float32))
constant = pd.Series(np.full(1_000_000, 4.2, np.float32))
seen = {}
for switch in (True, False):
    if not switch:  # the default is True if bottleneck can be imported
        pd.set_option("compute.use_bottleneck", False)
    seen[switch] = [float(value) for value in (prices.std(), prices.astype("float64").std(), constant.std(), prices.mean(), prices.describe()["std"])]
fast, plain = seen[True], seen[False]
print(f"std of a million prices: with bottleneck {fast[0]:.1f}, without {plain[0]:.1f}, in float64 with bottleneck {fast[1]:.1f}")
print(f"std of a constant column: with bottleneck {fast[2]:.2f}, without {plain[2]:.1f}; mean of the prices: with {fast[3]:.1f}, without {plain[3]:.1f}")
assert fast[0] > 2 * plain[0] and fast[4] > 2 * plain[4] and fast[2] > 0.01 and plain[2] == 0
assert abs(plain[0] - 10 / 12**0.5) < 0.01 and abs(fast[1] - 10 / 12**0.5) < 0.01 and abs(fast[3] - plain[3]) < 0.01
END
echo "as found: pandas-spread-of-prices-triples-with-bottleneck"
