#!/usr/bin/env bash
# pandas.to_json writes the probability 3e-11 as 0.0 and 4e-16 as 4e-16, so that the worst of three items becomes the best.
#
# Guess beforehand: to_json writes floats as Python's json does, with as many digits as are needed; or with ten significant ones.
# Found: it keeps ten places behind the point (double_precision=10), so that 3e-11 becomes 0.0. Numbers below 1e-15 take another way and
# are written with their exponent: 4e-16 stays. Between the two, everything up to 5e-11 is 0. With double_precision=15, the most that it
# takes, there is no such hole. json, polars' write_json and pandas' own to_csv keep the numbers. There is no warning.
# Why it matters: a softmax over millions of items, or the product of four code probabilities, lies below 1e-10 for most items. Files of
# scores between two stages then tie the better ones at 0, behind items of no chance at all.
# Output seen:
#   scores [3e-11, 2e-11, 4e-16]: pandas to_json [0.0, 0.0, 4e-16], best item 2; with double_precision=15, to_csv, json and polars best item 0
# Usage: bash findings/pandas-json-turns-small-scores-around.sh   (installs pandas==3.1.1 polars==2.1.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 numpy==2.3.5
env/bin/python - <<'END'
import io
import json

import pandas as pd
import polars as pl

scores = [3e-11, 2e-11, 4e-16]
table = pd.DataFrame({"score": scores})


def read(text: str) -> list[float]:
    return [row["score"] for row in json.loads(text)]


short = read(table.to_json(orient="records"))
others = [
    read(table.to_json(orient="records", double_precision=15)),
    pd.read_csv(io.StringIO(table.to_csv(index=False)))["score"].tolist(),
    json.loads(json.dumps(scores)),
    read(pl.DataFrame({"score": scores}).write_json()),
]
best = {max(range(3), key=other.__getitem__) for other in others}
print(f"scores {scores}: pandas to_json {short}, best item {short.index(max(short))}; with double_precision=15, to_csv, json and polars best item {best.pop()}")
assert short == [0.0, 0.0, 4e-16] and all(other == scores for other in others)
END
echo "as found: pandas-json-turns-small-scores-around"
