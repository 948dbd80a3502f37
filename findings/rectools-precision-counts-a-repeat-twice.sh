#!/usr/bin/env bash
# RecTools gives Precision 2/3 to a list of three places that names one right item twice.
#
# Guess beforehand: a repeated item counts once (as in its own Recall and NDCG), or is refused.
# Found: for the list [7, 7, 8] and the one right item 7, Precision@3 is 0.667 while Recall@3 and HitRate@3 are 1.0; without
# the repeat Precision@3 is 0.333. Other metrics of the package drop repeats; nothing warns.
# Why it matters: generators without a catalogue constraint repeat items; their precision then rises with each repeat.
# Output seen:
#   with the repeat Precision 0.667 Recall 1.0, without Precision 0.333 Recall 1.0
# Usage: bash findings/rectools-precision-counts-a-repeat-twice.sh   (installs RecTools==0.19.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check RecTools==0.19.0
env/bin/python - <<'END'
import pandas
from rectools.metrics import Precision, Recall

bought = pandas.DataFrame({"user_id": [1], "item_id": [7]})
lists = {
    "with": pandas.DataFrame({"user_id": [1, 1, 1], "item_id": [7, 7, 8], "rank": [1, 2, 3]}),
    "without": pandas.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "rank": [1, 3]}),
}
found = {name: (float(Precision(3).calc(table, bought)), float(Recall(3).calc(table, bought))) for name, table in lists.items()}
print(f"with the repeat Precision {found['with'][0]:.3f} Recall {found['with'][1]}, without Precision {found['without'][0]:.3f} Recall {found['without'][1]}")
assert abs(found["with"][0] - 2 / 3) < 1e-9 and abs(found["without"][0] - 1 / 3) < 1e-9
assert found["with"][1] == found["without"][1] == 1.0
END
echo "as found: rectools-precision-counts-a-repeat-twice"
