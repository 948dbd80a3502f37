#!/usr/bin/env bash
# dask's groupby("user")["item"].last() is right for all users, and with split_out=4 for fewer than one in a hundred.
#
# Guess beforehand: split_out says into how many parts the result is cut; the values are the same.
# Found: a log sorted by time, in 8 partitions. last() joins its parts in their order, with split_out=4 (as the documentation advises for
# many groups) rows are shuffled first, and the shuffle does not keep the order of rows of one user. groupby(...).apply, set_index and
# sort_values("user") shuffle, too: no history of 100 events comes out in order of time, and with a single partition apply is right again.
# agg(list), cumcount, shift and drop_duplicates(keep="last", split_out=4) are right.
# Why it matters: histories and the held-out last item are made by just these calls, and a log that outgrows one partition changes them
# without a message. Sort by time inside the function that apply gets, or sort by both columns.
# Output seen:
#   users whose last item is right: last() 1.0, last(split_out=4) below 0.05, apply below 0.05, apply with one partition 1.0
#   histories in order of time: agg(list) 1.0, apply below 0.05, set_index below 0.05
# Usage: bash findings/dask-last-item-changes-with-split-out.sh   (installs dask[dataframe]==2026.8.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check dask[dataframe]==2026.8.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

dask.config.set(scheduler="synchronous")
rng = np.random.default_rng(0)
log = pd.DataFrame({"time": np.arange(100_000), "user": rng.integers(0, 1000, 100_000), "item": rng.integers(0, 500, 100_000)})
right = log.groupby("user")["item"].last()
parts, whole = dd.from_pandas(log, npartitions=8), dd.from_pandas(log, npartitions=1)


def newest(items: pd.Series) -> int:
    return items.iloc[-1]


def share(result: dd.Series) -> float:
    return float((result.compute().sort_index() == right).mean())


def ordered(histories: pd.Series) -> float:
    return float(np.mean([bool((np.diff(history) > 0).all()) for history in histories]))


def short(value: float) -> str:
    return "below 0.05" if value < 0.05 else str(value)


users = parts.groupby("user")
last = [share(users["item"].last()), share(users["item"].last(split_out=4)), share(users["item"].apply(newest, meta=("item", "i8")))]
alone = share(whole.groupby("user")["item"].apply(newest, meta=("item", "i8")))
print(f"users whose last item is right: last() {last[0]}, last(split_out=4) {short(last[1])}, apply {short(last[2])}, apply with one partition {alone}")
gathered = ordered(users["time"].agg(list).compute())
applied = ordered(users["time"].apply(list, meta=("time", object)).compute())
indexed = ordered(parts.set_index("user").compute().groupby(level=0)["time"].agg(list))
print(f"histories in order of time: agg(list) {gathered}, apply {short(applied)}, set_index {short(indexed)}")
assert last[0] == alone == gathered == 1 and max(last[1], last[2], applied, indexed) < 0.05
END
echo "as found: dask-last-item-changes-with-split-out"
