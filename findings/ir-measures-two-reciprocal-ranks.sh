#!/usr/bin/env bash
# ir-measures reports RR@10 of 1.0 and RR of 0.11 for the same list in the same call.
#
# Guess beforehand: a cut at 10 can only lower the reciprocal rank, and one call ranks a list once.
# Found: RR is computed by trec_eval, which puts items of equal score in descending order of their names. RR@10 is computed by
# another provider, which takes ascending order. Nine tied items and the right one named 'a': RR is 1/9 and RR@10 is 1. With the
# right one named 'z' it is the other way round. So the cut measure can be nine times the uncut one.
# Why it matters: counts, int8 dot products and rounded scores tie. RR, RR@10 and nDCG@10 in one table are then of three rankings,
# and renaming items changes each in another direction.
# Output seen:
#   the right item is a: RR 0.111, RR@10 1.0, nDCG@10 0.301
#   the right item is z: RR 1.0, RR@10 0.111, nDCG@10 1.0
# Usage: bash findings/ir-measures-two-reciprocal-ranks.sh   (installs ir-measures==0.4.3 pytrec_eval-terrier==0.5.11 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check ir-measures==0.4.3 pytrec_eval-terrier==0.5.11 numpy==2.3.5
env/bin/python - <<'END'
import ir_measures
from ir_measures import RR, nDCG

found = {}
for right in ("a", "z"):
    values = ir_measures.calc_aggregate([RR, RR @ 10, nDCG @ 10], {"ann": {right: 1}}, {"ann": dict.fromkeys("abcdefxyz", 1.0)})
    found[right] = [round(float(values[measure]), 3) for measure in (RR, RR @ 10, nDCG @ 10)]
    print(f"the right item is {right}: RR {found[right][0]}, RR@10 {found[right][1]}, nDCG@10 {found[right][2]}")
assert found == {"a": [0.111, 1.0, 0.301], "z": [1.0, 0.111, 1.0]}
END
echo "as found: ir-measures-two-reciprocal-ranks"
