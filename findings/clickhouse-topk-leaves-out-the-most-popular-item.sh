#!/usr/bin/env bash
# ClickHouse's topK(10) leaves out the item that was bought most, and takes one from place 17.
#
# Guess beforehand: topK counts, as GROUP BY and ORDER BY count() do; if it estimates, then for the tail and not for the head.
# Found: it keeps 30 counters for 10 items (a load factor of 3) and replaces the smallest by what comes next. In a log of 200,000 purchases
# of 20,000 items with a flat head (the first item has 0.2 percent), it returns ten items of which fewer than eight are among the ten best.
# The best of all is not there. The answer depends on the order of the rows. With topK(10, 300) it is right. For a steep popularity (the
# first item has 14 percent) the default is right, too, which hides it.
# Why it matters: "the ten most popular items" is the baseline of every evaluation, and the list of every new user. A weak list makes the
# model look better than it is.
# Output seen:
#   of the ten most bought, topK names fewer than 8, its worst is beyond place 12, and the first is there False; with a load factor of 300: 10
# Usage: bash findings/clickhouse-topk-leaves-out-the-most-popular-item.sh   (installs chdb==4.4.0 pandas==2.3.3 pyarrow==23.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check chdb==4.4.0 pandas==2.3.3 pyarrow==23.0.1 numpy==2.4.6
env/bin/python - <<'END'
import chdb
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
shares = 1 / (np.arange(20_000) + 50) ** 0.8
log = pd.DataFrame({"item": rng.choice(20_000, 200_000, p=shares / shares.sum())})
log.to_parquet("log.parquet")
places = log["item"].value_counts().rank(ascending=False, method="min")


def top(call: str) -> list[int]:
    text = str(chdb.query(f"SELECT arrayJoin({call}(item)) FROM file('log.parquet') SETTINGS max_threads = 1", "TSV"))
    return [int(line) for line in text.split()]


usual, wide = top("topK(10)"), top("topK(10, 300)")
right = [sum(places[item] <= 10 for item in found) for found in (usual, wide)]
worst, first = max(places[item] for item in usual), bool(places.index[0] in usual)
words = ("fewer than 8" if right[0] < 8 else right[0], "beyond place 12" if worst > 12 else worst)
print(f"of the ten most bought, topK names {words[0]}, its worst is {words[1]}, and the first is there {first}; with a load factor of 300: {right[1]}")
assert right[0] < 8 and worst > 12 and not first and right[1] == 10
END
echo "as found: clickhouse-topk-leaves-out-the-most-popular-item"
