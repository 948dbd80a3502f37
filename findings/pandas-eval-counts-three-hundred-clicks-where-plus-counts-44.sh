#!/usr/bin/env bash
# 200 clicks and 100 clicks are 300 in pandas' eval and 44 with +, and eval says 44 as well where the package numexpr is missing.
#
# Guess beforehand: frame.eval("web + app") is frame["web"] + frame["app"].
# Found: with numexpr installed, eval makes int32 of uint8 and int64 of uint32: 200 + 100 is 300, and 3 - 5 is -2. The operators, and eval
# with engine="python", keep the type and wrap: 44 and 4294967294. numexpr is no part of pandas, so the same line gives other numbers on a
# machine without it.
# Why it matters: clicks, counts and ranks are kept in small unsigned types. The comparison of two models' ranks, or of two days' clicks, is
# right where numexpr is there by chance, and wrong in the tests of the machine where it is not, or the other way round.
# Output seen:
#   clicks: eval 300 (int32), eval without numexpr 44, operator 44 (uint8)
#   ranks: eval -2 (int64), eval without numexpr 4294967294, operator 4294967294 (uint32)
# Usage: bash findings/pandas-eval-counts-three-hundred-clicks-where-plus-counts-44.sh   (installs pandas==3.1.1 numexpr==2.14.2 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 numexpr==2.14.2 numpy==2.3.5
env/bin/python - <<'END'
import numpy
import pandas

clicks = pandas.DataFrame({"web": [200], "app": [100]}, dtype="uint8")
ranks = pandas.DataFrame({"old": [3], "new": [5]}, dtype="uint32")
found = {}
for name, frame, text in (("clicks", clicks, "web + app"), ("ranks", ranks, "old - new")):
    left, right = (frame[column] for column in frame)
    operator = left + right if "+" in text else left - right
    answers = frame.eval(text), frame.eval(text, engine="python"), operator
    found[name] = [int(answer.iloc[0]) for answer in answers]
    print(f"{name}: eval {found[name][0]} ({answers[0].dtype}), eval without numexpr {found[name][1]}, operator {found[name][2]} ({operator.dtype})")
assert found == {"clicks": [300, 44, 44], "ranks": [-2, 4294967294, 4294967294]}
END
echo "as found: pandas-eval-counts-three-hundred-clicks-where-plus-counts-44"
