#!/usr/bin/env bash
# torch-rechub's generate_seq_feature makes no validation and no test case for users with more than 50 interactions.
#
# Guess beforehand: max_len cuts the history to the last 50; the last item of every user is the test item.
# Found: positions run to min(length, max_len), and "last" means the last of the whole history. A user of 60 items never gets
# there: 49 training targets (each with one negative), nothing for validation or test, and the newest items are never seen.
# Why it matters: the users that a shop knows best drop out of the test set without a word, and figures are of light users.
# Output seen:
#   user of 60 items: 98 training rows, 0 validation rows, 0 test rows
#   user of 5 items: 4 training rows, 2 validation rows, 2 test rows
# Usage: bash findings/torch-rechub-active-users-have-no-test-case.sh   (installs torch-rechub==0.9.0 pandas==2.2.3 numpy==2.3.5 torch==2.13.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch-rechub==0.9.0 pandas==2.2.3 numpy==2.3.5 torch==2.13.0
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import pandas
from torch_rechub.utils.data import generate_seq_feature

rows = [(user, f"{kind}{n}", n) for user, kind, items in (("a", "i", 60), ("b", "j", 40), ("c", "i", 5)) for n in range(items)]
tables = generate_seq_feature(pandas.DataFrame(rows, columns=["user", "item", "time"]), "user", "item", "time")
found = {user: tuple(int((table["user"] == number).sum()) for table in tables) for user, number in ((60, 1), (5, 3))}
for items, (train, valid, test) in found.items():
    print(f"user of {items} items: {train} training rows, {valid} validation rows, {test} test rows")
assert found == {60: (98, 0, 0), 5: (4, 2, 2)}
END
echo "as found: torch-rechub-active-users-have-no-test-case"
