#!/usr/bin/env bash
# Two of two packages that call the same evaluator disagree by a factor of two when one user got no list.
#
# Guess beforehand: a user of the test set without a list counts as zero everywhere.
# Found: pytrec_eval leaves the user out of its answer, so the mean over what it returns is 1.0. ir-measures, which calls
# pytrec_eval, adds the user as zero: 0.5. ranx refuses until make_comparable=True, then 0.5.
# Why it matters: recommenders that find nothing for some users (cold ones, filtered ones) look better the more they fail.
# Output seen:
#   pytrec_eval 1 users, mean 1.0; ir-measures 0.5; ranx AssertionError, comparable 0.5
# Usage: bash findings/metrics-of-users-without-a-list.sh   (installs pytrec_eval-terrier==0.5.11 ir-measures==0.4.3 ranx==0.3.21 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pytrec_eval-terrier==0.5.11 ir-measures==0.4.3 ranx==0.3.21
env/bin/python - <<'END'
import numpy as np
import ir_measures, pytrec_eval
from ranx import Qrels, Run, evaluate

wanted = {"ann": {"book": 1}, "bob": {"lamp": 1}}
lists = {"ann": {"book": 1.0, "comb": 0.5}}
users = pytrec_eval.RelevanceEvaluator(wanted, {"recip_rank"}).evaluate(lists)
mean = float(np.mean([values["recip_rank"] for values in users.values()]))
zeros = float(ir_measures.calc_aggregate([ir_measures.RR], wanted, lists)[ir_measures.RR])
try:
    evaluate(Qrels(wanted), Run(lists), "mrr")
    refused = "nothing"
except AssertionError:
    refused = "AssertionError"
comparable = float(evaluate(Qrels(wanted), Run(lists), "mrr", make_comparable=True))
print(f"pytrec_eval {len(users)} users, mean {mean}; ir-measures {zeros}; ranx {refused}, comparable {comparable}")
assert (len(users), mean, zeros, refused, comparable) == (1, 1.0, 0.5, "AssertionError", 0.5)
END
echo "as found: metrics-of-users-without-a-list"
