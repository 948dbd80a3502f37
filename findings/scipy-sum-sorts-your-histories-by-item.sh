#!/usr/bin/env bash
# X.sum() of a sparse matrix of scipy sorts the histories that the matrix was made of by item number, and the last item of a user is
# another one.
#
# Guess beforehand: sum() reads. What the matrix was made of stays as it is.
# Found: a csr_array (or csr_matrix) made of (data, indices, indptr) shares the arrays with the caller. sum(), max(), X > 3 and log1p()
# first bring the places of each row in order and add up those that occur twice, in the shared memory. A history 9, 7, 8 becomes 7, 8, 9,
# and ratings 1, 4, 2 of items 7, 7, 9 become 5, 2, 2: what is left over stays behind. sum(axis=0), mean(), toarray() and X @ Y change
# nothing. copy=True gives the matrix arrays of its own, and (data, (rows, columns)) does.
# Why it matters: flat items and offsets are how histories are kept, and popularity or a check for empty rows is one line with scipy.
# After it, the held-out "last" item is the one with the largest number, and users with a repeat have an event that never was.
# Output seen:
#   last item of the history [9, 7, 8]: before 8, after sum(axis=0) 8, after sum() 9; ratings [1.0, 4.0, 2.0] of items [7, 7, 9] become [5.0, 2.0, 2.0]
# Usage: bash findings/scipy-sum-sorts-your-histories-by-item.sh   (installs scipy==1.17.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
import scipy.sparse as sparse


def after(call: object, items: list[int], **options: bool) -> tuple[list[int], list[float]]:
    """Items and ratings of a caller after a call on the matrix that was made of them."""
    columns, ratings = np.array(items), np.array([1.0, 4.0, 2.0])
    call(sparse.csr_array((ratings, columns, np.array([0, 3])), shape=(1, 10), **options))
    return columns.tolist(), ratings.tolist()


history, repeated = [9, 7, 8], [7, 7, 9]
quiet = after(lambda table: table.sum(axis=0), history)
total = after(lambda table: table.sum(), history)
twice = after(lambda table: table.sum(), repeated)
print(
    f"last item of the history {history}: before {history[-1]}, after sum(axis=0) {quiet[0][-1]}, after sum() {total[0][-1]}; "
    f"ratings [1.0, 4.0, 2.0] of items {repeated} become {twice[1]}"
)
assert quiet == (history, [1, 4, 2]) and total == ([7, 8, 9], [4, 2, 1]) and twice[1] == [5, 2, 2]
for change in (lambda table: table.max(), lambda table: table > 3, lambda table: table.log1p()):
    assert after(change, history)[0] == [7, 8, 9]
    assert after(change, history, copy=True)[0] == history
END
echo "as found: scipy-sum-sorts-your-histories-by-item"
