#!/usr/bin/env bash
# RecTools gives NDCG@10 of 0.22 to a list with the only right item on the first place, where its MRR, MAP and recall are 1.0, and 0.27 to
# one with four of ten right items, all on the last places.
#
# Guess beforehand: the best list that is possible has the NDCG 1.0, whatever the user bought.
# Found: the sum is divided by that of a list with ten right items, for every user. A user with one held-out item can have 0.22 at most, on
# a longer list less: at 100 it is 0.05. A user with ten items and hits on places 7 to 10 has 0.27. divide_by_achievable=True gives 1.0. MAP
# of the same package is divided by what can be reached.
# Why it matters: with leave-one-out all users have one item, so a figure of 0.20 may be nearly perfect, and it is compared with 0.9 of
# other tools and papers. With several items per user the figure says mostly who bought much.
# Output seen:
#   right item first: NDCG@10 0.22, NDCG@100 0.05, MRR, MAP and recall [1.0, 1.0, 1.0]; divide_by_achievable 1.0
#   four of ten right items on places 7 to 10: NDCG@10 0.27
# Usage: bash findings/rectools-ndcg-of-a-perfect-list-is-a-fifth.sh   (installs RecTools==0.19.0 pandas==2.3.3 numpy==1.26.4 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check RecTools==0.19.0 pandas==2.3.3 numpy==1.26.4
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import pandas
from rectools.metrics import MAP, MRR, NDCG, Recall

LIST = pandas.DataFrame({"user_id": 1, "item_id": range(100), "rank": range(1, 101)})


def bought(*items: int) -> pandas.DataFrame:
    return pandas.DataFrame({"user_id": 1, "item_id": items})


one, many = bought(0), bought(6, 7, 8, 9, *range(100, 106))
first = [round(float(metric.calc(LIST, one)), 2) for metric in (NDCG(10), NDCG(100), MRR(10), MAP(10), Recall(10))]
reached = float(NDCG(10, divide_by_achievable=True).calc(LIST, one))
late = round(float(NDCG(10).calc(LIST, many)), 2)
print(f"right item first: NDCG@10 {first[0]}, NDCG@100 {first[1]}, MRR, MAP and recall {first[2:]}; divide_by_achievable {reached}")
print(f"four of ten right items on places 7 to 10: NDCG@10 {late}")
assert first == [0.22, 0.05, 1.0, 1.0, 1.0] and reached == 1.0 and late > first[0]
END
echo "as found: rectools-ndcg-of-a-perfect-list-is-a-fifth"
