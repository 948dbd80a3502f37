#!/usr/bin/env bash
# Category codes of 1,000 users and 300 items make 65,536 keys for 300,000 pairs in pandas.
#
# Guess beforehand: codes are row numbers, so user * 300 + item is one number for each pair, or pandas raises.
# Found: pandas keeps the codes in the smallest type that holds them: int16 for 1,000 users. NumPy multiplies int16 by a Python
# number in int16 as long as that number fits, and wraps without a word: a key stands for 4.6 pairs, and half of them are negative. With
# 100 users and 100 items the codes are int8, and 10,000 pairs have 256 keys. With 40,000 users (int32), or if the number does not fit
# (100 users, 300 items: OverflowError), it is right or it raises. pandas.factorize gives int64, where all pairs have a key.
# Why it matters: user * items + item is the key to look up what was seen, to drop doubled pairs and to draw negatives. Doubled pairs
# that are none are dropped, and negatives are refused as seen; small tests and large data are right.
# Output seen:
#   1000 users, 300 items, 300000 pairs: codes int16, 65536 keys; by factorize 300000
#   100 users, 100 items, 10000 pairs: codes int8, 256 keys; by factorize 10000
#   40000 users, 10 items, 400000 pairs: codes int32, 400000 keys; by factorize 400000
# Usage: bash findings/pandas-codes-of-user-and-item-wrap-in-a-key.sh   (installs pandas==3.1.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import pandas as pd


def keys(users: int, items: int) -> tuple[str, int, int]:
    names = {"user": [f"u{n}" for n in range(users)], "item": [f"i{n}" for n in range(items)]}
    log = pd.DataFrame({"user": np.repeat(names["user"], items), "item": np.tile(names["item"], users)})
    user, item = (log[column].astype("category").cat.codes for column in ("user", "item"))
    whole = pd.factorize(log["user"])[0] * items + pd.factorize(log["item"])[0]
    found = str(user.dtype), (user * items + item).nunique(), len(np.unique(whole))
    print(f"{users} users, {items} items, {len(log)} pairs: codes {found[0]}, {found[1]} keys; by factorize {found[2]}")
    return found


assert keys(1000, 300) == ("int16", 65_536, 300_000)
assert keys(100, 100) == ("int8", 256, 10_000)
assert keys(40_000, 10) == ("int32", 400_000, 400_000)
END
echo "as found: pandas-codes-of-user-and-item-wrap-in-a-key"
