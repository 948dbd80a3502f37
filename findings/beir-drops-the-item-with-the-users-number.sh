#!/usr/bin/env bash
# BEIR's evaluation takes the item out of a list whose id is the same text as the user's id.
#
# Guess beforehand: ids of queries and of documents are two spaces; user "3" and item "3" have nothing to do with each other.
# Found: EvaluateRetrieval.evaluate leaves out every document whose id equals the query's. Five users, each with item "n" right for user
# "n" and ranked first: Recall@3 is 0. The same with ids "i1" to "i5" is 1. ignore_identical_ids=False turns it off. evaluate
# changes the run that it was given: the items are gone from the caller's dictionaries, so a second metric misses them, too.
# Why it matters: users and items of public logs are numbered from 1 each. One item a user is lost at random, which costs a few
# percent, too few to be noticed; pairs numbered by enumerate() lose everything.
# Output seen:
#   Recall@3: numbers 0.0, numbers with a letter 1.0, ignore_identical_ids=False 1.0; items left in the caller's list of user 3: 4 of 5
# Usage: bash findings/beir-drops-the-item-with-the-users-number.sh   (installs beir==2.2.0 (without its dependencies) pytrec_eval-terrier==0.5.11 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pytrec_eval-terrier==0.5.11 tqdm==4.70.1 numpy==2.4.6
env/bin/python -m pip install --quiet --disable-pip-version-check --no-deps beir==2.2.0
env/bin/python - <<'END'
from beir.retrieval.evaluation import EvaluateRetrieval

numbers = [str(n) for n in range(1, 6)]


def data(letter: str) -> tuple[dict, dict]:
    right = {user: {letter + user: 1} for user in numbers}
    run = {user: {letter + item: 1.0 if item == user else 0.1 for item in numbers} for user in numbers}
    return right, run


def recall(right: dict, run: dict, **options: bool) -> float:
    return EvaluateRetrieval.evaluate(right, run, [3], **options)[2]["Recall@3"]


right, run = data("")
found = [recall(right, run), recall(*data("i")), recall(*data(""), ignore_identical_ids=False)]
print(f"Recall@3: numbers {found[0]}, numbers with a letter {found[1]}, ignore_identical_ids=False {found[2]};", end=" ")
print(f"items left in the caller's list of user 3: {len(run['3'])} of 5")
assert found == [0.0, 1.0, 1.0] and len(run["3"]) == 4
END
echo "as found: beir-drops-the-item-with-the-users-number"
