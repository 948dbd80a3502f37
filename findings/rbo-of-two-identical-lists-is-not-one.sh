#!/usr/bin/env bash
# The package rbo gives two identical lists of ten items the overlap 0.65, identical lists of three 0.27, and a list and its own first three
# items 1.0 by rbo_ext.
#
# Guess beforehand: identical lists have the overlap 1, and a list and its head have less.
# Found: rbo(p=0.9) adds up what is seen and takes everything behind the end of the list as different: 1 - p^k for k items. With p = 0.98
# identical lists of ten have 0.18. Only p = 1, which is the default and is another measure (average overlap), gives 1. rbo_ext, which goes
# on as before behind the end, gives 1.0 to identical lists and 1.0 to three items and the ten that begin with them.
# Why it matters: the figure is used to say how much two models or two runs of one model differ. Lists of ten cannot reach 0.7, lists of
# different lengths cannot be compared, and a model that gives three items seems to agree fully with one that gives ten.
# Output seen:
#   ten: p=0.9 0.65, p=0.98 0.18, p=1 1.0, extended 1.0
#   three: p=0.9 0.27, p=0.98 0.06, p=1 1.0, extended 1.0
#   three and ten: p=0.9 0.27, p=0.98 0.06, p=1 1.0, extended 1.0
#   reversed: p=0.9 0.16, p=0.98 0.06, p=1 0.35, extended 0.51
# Usage: bash findings/rbo-of-two-identical-lists-is-not-one.sh   (installs rbo==0.1.3 numpy==1.26.4 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check rbo==0.1.3 numpy==1.26.4
env/bin/python - <<'END'
from rbo import RankingSimilarity

TEN = list("abcdefghij")
found = {}
for name, left, right in (("ten", TEN, TEN), ("three", TEN[:3], TEN[:3]), ("three and ten", TEN[:3], TEN), ("reversed", TEN, TEN[::-1])):
    pair = RankingSimilarity(left, right)
    found[name] = [round(float(value), 2) for value in (pair.rbo(p=0.9), pair.rbo(p=0.98), pair.rbo(), pair.rbo_ext(p=0.9))]
    print(f"{name}: p=0.9 {found[name][0]}, p=0.98 {found[name][1]}, p=1 {found[name][2]}, extended {found[name][3]}")
assert found["ten"] == [0.65, 0.18, 1.0, 1.0] and found["three"][0] == found["three and ten"][0] == 0.27
assert found["three and ten"][3] == 1.0
END
echo "as found: rbo-of-two-identical-lists-is-not-one"
