#!/usr/bin/env bash
# datasketches counts 1,000 users as 2,000 if one of two days has a visit without a user, and merging the days' sketches does not help.
#
# Guess beforehand: the same user number is the same user, in whole or in floating numbers, or a float is refused.
# Found: update(5) and update(5.0) are two things. A pandas column with a missing user is float64, so the day with one anonymous visit holds
# other users than the day without. The union of both days is 2,000 for 1,000 users; with the anonymous visits dropped first (dropna) it is
# 2,000 as well, as the column stays float64. NumPy's int64 counts as Python's whole numbers do.
# Why it matters: unique users, reach and coverage of items are counted so, day by day, and merged. One missing id in a day doubles the
# reach of the week, and only the total is ever looked at.
# Output seen:
#   1000 users on both days: counted 1000, after a missing id 2000, made whole again 1000
# Usage: bash findings/datasketches-counts-users-twice-after-a-day-with-a-missing-id.sh   (installs datasketches==5.2.0 pandas==3.1.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check datasketches==5.2.0 pandas==3.1.1 numpy==2.3.5
env/bin/python - <<'END'
import datasketches
import pandas


def sketch(users: pandas.Series) -> datasketches.hll_sketch:
    made = datasketches.hll_sketch(14)
    for user in users:
        made.update(user)
    return made


def together(*days: pandas.Series) -> int:
    union = datasketches.hll_union(14)
    for day in days:
        union.update(sketch(day))
    return round(union.get_estimate(), -2)


monday = pandas.Series(range(1000))
tuesday = pandas.Series([*range(1000), None]).dropna()
found = together(monday, monday.astype(object)), together(monday, tuesday), together(monday, tuesday.astype("int64"))
print(f"1000 users on both days: counted {found[0]:.0f}, after a missing id {found[1]:.0f}, made whole again {found[2]:.0f}")
assert found == (1000, 2000, 1000)
END
echo "as found: datasketches-counts-users-twice-after-a-day-with-a-missing-id"
