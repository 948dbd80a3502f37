#!/usr/bin/env bash
# hashids gives the key "" to item -1, to item "5" and to every history that holds a -1, and reads "" as no item at all.
#
# Guess beforehand: what cannot be encoded is refused.
# Found: only whole numbers from 0 on have a key. For one that is negative, and for a text, encode returns the empty text without an error,
# also if it is one of ten in a list. All padded histories, all unknown items (-1) and all ids that were read as text share this key;
# decode("") is an empty tuple. NumPy's numbers and True are encoded, as 5 and 1. sqids, the successor, refuses a negative number.
# Why it matters: such keys stand in public addresses of items and lists. As keys of a cache or a table, "" makes one entry of thousands of
# users: each gets the list of the one who came first.
# Output seen:
#   {'[5]': 'YaQojg', '[-1]': '', "['5']": '', '[5, 6, -1]': '', '[7, 8, -1]': ''}; decoded (); sqids refuses -1: True
# Usage: bash findings/hashids-gives-every-padded-history-the-same-empty-key.sh   (installs hashids==1.3.1 sqids==0.5.2 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check hashids==1.3.1 sqids==0.5.2
env/bin/python - <<'END'
from hashids import Hashids
from sqids import Sqids

keys = Hashids(salt="shop", min_length=6)
found = {str(items): keys.encode(*items) for items in ([5], [-1], ["5"], [5, 6, -1], [7, 8, -1])}
empty = keys.decode("")
try:
    Sqids().encode([-1])
    refused = False
except ValueError:
    refused = True
print(f"{found}; decoded {empty}; sqids refuses -1: {refused}")
assert found["[5]"] != "" and keys.decode(found["[5]"]) == (5,) and list(found.values())[1:] == [""] * 4
assert empty == () and refused
END
echo "as found: hashids-gives-every-padded-history-the-same-empty-key"
