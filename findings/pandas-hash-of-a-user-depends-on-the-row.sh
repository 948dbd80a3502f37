#!/usr/bin/env bash
# A split by pandas' hash of the user puts every user into nearly all of the ten folds.
#
# Guess beforehand: hash_pandas_object(log["user"]) % 10 is a function of the user, so all rows of a user are in one fold.
# Found: index=True is the default, and the number of the row goes into the hash. The 20 rows of a user lie in 8.75 of 10 folds on average,
# as if rows were drawn. Two tables with the same user in other rows have other hashes, and a hash of the whole row is never that of the
# same row in another file. index=False gives one fold for each user.
# Why it matters: a hash is taken because it is "the same everywhere": folds by user, shards, A/B groups, and the search for equal rows.
# Here the users of the training are those of the test, users change their group, and no equal rows are found.
# Output seen:
#   folds of a user with 20 rows: 8.75 with the default, 1.0 with index=False; equal rows of one table in two orders: 2 of 2000, with index=False 2000
# Usage: bash findings/pandas-hash-of-a-user-depends-on-the-row.sh   (installs pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import pandas as pd
from pandas.util import hash_pandas_object

rng = np.random.default_rng(0)
log = pd.DataFrame({"user": np.repeat(np.arange(100), 20), "item": np.arange(2000)})


def folds(**settings) -> float:
    return float((hash_pandas_object(log["user"], **settings) % 10).groupby(log["user"]).nunique().mean())


def equal(**settings) -> int:
    """Rows of the shuffled table, numbered anew, whose hash the table has."""
    other = log.iloc[rng.permutation(2000)].reset_index(drop=True)
    return int(hash_pandas_object(other, **settings).isin(hash_pandas_object(log, **settings)).sum())


spread, one, few, many = folds(), folds(index=False), equal(), equal(index=False)
print(f"folds of a user with 20 rows: {spread} with the default, {one} with index=False; equal rows of one table in two orders: {few} of 2000, with index=False {many}")
assert spread > 5 and one == 1 and few < 50 and many == 2000
END
echo "as found: pandas-hash-of-a-user-depends-on-the-row"
