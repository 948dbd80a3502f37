#!/usr/bin/env bash
# pytrec_eval ranks items by float32 scores, so large counts and small differences become ties, which item names decide.
#
# Guess beforehand: the scores are Python floats, so the order of the run is the order of the metric.
# Found: scores are kept as C floats (24 bits). Items with 20,000,001 and 20,000,000 plays tie, and ties go by descending name:
# the most played item is second. Three scores that differ in the 8th digit are reordered, too. ranx, given the same two
# dictionaries, follows the scores.
# Why it matters: popularity and recency (Unix time) are baselines in every paper and are larger than 2^24; sums of float64
# log-probabilities differ late. A baseline's figure then depends on how items are named.
# Output seen:
#   plays: pytrec_eval 0.5, ranx 1.0
#   last purchase in Unix seconds: pytrec_eval 0.333, ranx 1.0
# Usage: bash findings/pytrec-eval-ranks-by-float32-scores.sh   (installs pytrec_eval-terrier==0.5.11 ranx==0.3.21 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pytrec_eval-terrier==0.5.11 ranx==0.3.21 numpy==2.3.5
env/bin/python - <<'END'
import pytrec_eval
from ranx import Qrels, Run, evaluate

found = {}
lists = {
    "plays": {"a": 20_000_001.0, "b": 20_000_000.0},
    "last purchase in Unix seconds": {"a": 1_700_000_060.0, "b": 1_700_000_030.0, "c": 1_700_000_000.0},
}
for title, scores in lists.items():
    wanted, run = {"ann": {"a": 1}}, {"ann": scores}
    first = pytrec_eval.RelevanceEvaluator(wanted, {"recip_rank"}).evaluate(run)["ann"]["recip_rank"]
    found[title] = (round(first, 3), round(float(evaluate(Qrels(wanted), Run(run), "mrr")), 3))
    print(f"{title}: pytrec_eval {found[title][0]}, ranx {found[title][1]}")
assert list(found.values()) == [(0.5, 1.0), (0.333, 1.0)]
END
echo "as found: pytrec-eval-ranks-by-float32-scores"
