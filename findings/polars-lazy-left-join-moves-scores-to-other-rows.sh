#!/usr/bin/env bash
# A left join in polars keeps the order of the rows if it is eager, and loses it if it is lazy, even for 100 rows.
#
# Guess beforehand: a left join returns the rows of the left table in their order, and lazy is eager computed later.
# Found: eager, all 100,000 rows keep their places. Lazy, with collect() as it is, fewer than one in a hundred do, of 100 rows as of 100,000:
# the engine for lazy tables hands rows on as they come. collect(engine="in-memory") keeps the order, and maintain_order="left" does.
# With one thread 100,000 rows keep their order, and 100 do not. Nothing is logged.
# Why it matters: "look up the score of each test row, then put the column beside the labels" is right in a notebook and shuffles the scores
# once the same lines are lazy. A metric of a model that is always right (AUC 1.0) becomes one of chance.
# Output seen:
#   left join, rows in their place: eager 1.0, lazy below 0.1, lazy in-memory 1.0, lazy maintain_order 1.0
#   AUC of scores beside the labels: eager 1.00, lazy about 0.5
# Usage: bash findings/polars-lazy-left-join-moves-scores-to-other-rows.sh   (installs polars==2.1.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 numpy==2.4.6
env/bin/python - <<'END'
import os

os.environ["POLARS_MAX_THREADS"] = "4"
import numpy as np
import polars as pl

rng = np.random.default_rng(0)
scores = pl.DataFrame({"item": np.arange(1000), "score": rng.random(1000)})


def joins(rows: int) -> tuple[list[float], list[float]]:
    """Share of the rows that keep their place, and the AUC of the joined scores beside the labels of the left table."""
    log = pl.DataFrame({"row": np.arange(rows), "item": rng.integers(0, 1000, rows)})
    label = scores["score"].to_numpy()[log["item"].to_numpy()] > 0.5
    lazy = log.lazy().join(scores.lazy(), on="item", how="left")
    ordered = log.lazy().join(scores.lazy(), on="item", how="left", maintain_order="left")
    tables = [log.join(scores, on="item", how="left"), lazy.collect(), lazy.collect(engine="in-memory"), ordered.collect()]
    places = [float((table["row"].to_numpy() == np.arange(rows)).mean()) for table in tables]
    ranks = [table["score"].to_numpy().argsort(kind="stable").argsort(kind="stable") + 1 for table in tables]
    clicks = int(label.sum())
    return places, [float((rank[label].sum() - clicks * (clicks + 1) / 2) / (clicks * (rows - clicks))) for rank in ranks]


places, areas = joins(100_000)
few, _ = joins(100)
low = "below 0.1" if max(places[1], few[1]) < 0.1 else f"{places[1]} and {few[1]}"
print(f"left join, rows in their place: eager {places[0]}, lazy {low}, lazy in-memory {places[2]}, lazy maintain_order {places[3]}")
print(f"AUC of scores beside the labels: eager {areas[0]:.2f}, lazy {'about 0.5' if abs(areas[1] - 0.5) < 0.05 else areas[1]}")
assert places[0] == places[2] == places[3] == few[0] == few[2] == few[3] == 1
assert places[1] < 0.5 and few[1] < 0.9 and areas[0] == 1 and areas[1] < 0.9
END
echo "as found: polars-lazy-left-join-moves-scores-to-other-rows"
