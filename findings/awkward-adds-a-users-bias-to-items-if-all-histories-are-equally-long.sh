#!/usr/bin/env bash
# In awkward, scores + biases of users adds each user's bias if histories differ in length, and adds it to the columns if the array was made
# from a table.
#
# Guess beforehand: the same numbers give the same sum, however the array was made.
# Found: lists of variable length are matched with the users from the left, and lists of a fixed length from the right, as NumPy does. [[1,
# 2], [3, 4]] from Python lists has variable length: [[11, 12], [23, 24]]. The same from a NumPy array, or after it was written to Parquet,
# gives [[11, 22], [13, 24]]. With three items each and two users the table gives an error.
# Why it matters: histories are of variable length, until somebody cuts them to the last k items and pads them. Then the bias (or mean, or
# weight) of user 2 goes to place 2 of everybody. With a batch of as many users as places nothing stops.
# Output seen:
#   equal scores True; plus users 10 and 20: from lists [[11, 12], [23, 24]], from a table [[11, 22], [13, 24]], from Parquet [[11, 22], [13, 24]]
# Usage: bash findings/awkward-adds-a-users-bias-to-items-if-all-histories-are-equally-long.sh   (installs awkward==2.14.0 numpy==2.3.5 pyarrow==26.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check awkward==2.14.0 numpy==2.3.5 pyarrow==26.0.1
env/bin/python - <<'END'
import awkward
import numpy

users = numpy.array([10, 20])
lists = awkward.Array([[1, 2], [3, 4]])
table = awkward.Array(numpy.array([[1, 2], [3, 4]]))
awkward.to_parquet(table, "scores.parquet")
read = awkward.from_parquet("scores.parquet")
same = lists.tolist() == table.tolist() == read.tolist()
sums = [(array + users).tolist() for array in (lists, table, read)]
print(f"equal scores {same}; plus users 10 and 20: from lists {sums[0]}, from a table {sums[1]}, from Parquet {sums[2]}")
try:
    awkward.Array(numpy.ones((2, 3))) + users
    refused = False
except ValueError:
    refused = True
assert refused
assert same and sums == [[[11, 12], [23, 24]], [[11, 22], [13, 24]], [[11, 22], [13, 24]]]
END
echo "as found: awkward-adds-a-users-bias-to-items-if-all-histories-are-equally-long"
