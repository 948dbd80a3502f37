#!/usr/bin/env bash
# datasets.map with num_proc=4 draws the same NumPy "random" negatives four times.
#
# Guess beforehand: every process draws numbers of its own, as DataLoader workers do.
# Found: the processes are forks, and NumPy's global generator (and torch's) is copied with its state. Row n of each shard gets the
# same number, so 400 users get 100 draws, each four times. Python's random differs, as it is seeded anew after a fork.
# Why it matters: negative sampling, masking and augmentation in map are ordinary. Users at the same place of each shard train
# against the same negatives; more processes, fewer negatives, and no process count gives the same data. (Linux, fork.)
# Output seen:
#   400 rows, different draws: numpy 100, torch 100, random 400; with num_proc=1 numpy 400
# Usage: bash findings/datasets-map-repeats-the-same-negatives.sh   (installs datasets==5.2.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check datasets==5.2.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import random

import datasets, numpy as np, torch

datasets.disable_progress_bars()
users = datasets.Dataset.from_dict({"user": list(range(400))})
draws = {
    "numpy": lambda row: {"item": int(np.random.randint(2**60))},
    "torch": lambda row: {"item": int(torch.randint(2**60, ()))},
    "random": lambda row: {"item": random.randrange(2**60)},
}
found = {name: len(set(users.map(draw, num_proc=4)["item"])) for name, draw in draws.items()}
alone = len(set(users.map(draws["numpy"])["item"]))
print("400 rows, different draws: " + ", ".join(f"{name} {count}" for name, count in found.items()) + f"; with num_proc=1 numpy {alone}")
assert found == {"numpy": 100, "torch": 100, "random": 400} and alone == 400
END
echo "as found: datasets-map-repeats-the-same-negatives"
