#!/usr/bin/env bash
# Two different seeds draw the same numbers: in torch on a CPU, in NumPy and in Python's random, each by a rule of its own.
#
# Guess beforehand: two seeds that a generator takes without complaint are two streams of random numbers.
# Found: torch takes 64 bits and its CPU generator reads the lower 32: the seeds 5 and 5 + 2**32 are one. NumPy fills a list of numbers up
# with zeros to four: [5, 0] and [5, 0, 0, 0] are 5, and [5, 1] is 5 + 2**32. random leaves the sign out: -5 is 5. The others tell the same
# pairs apart: 5 and 5 + 2**32 are two seeds for NumPy and random, and NumPy refuses -5.
# Why it matters: seeds are put together so that runs, workers and users differ: run << 32 | user, or [user, run]. Three runs with torch
# are then one run, with a spread of 0; the worker with number 0 draws what the main process drew.
# Output seen:
#   torch 5 = 5 + 2**32 True, distinct first draws of three runs seeded by run << 32 | user: 1
#   NumPy 5 = [5, 0] True, [5, 0] = [5, 0, 0, 0] True, 5 + 2**32 = [5, 1] True, 5 = 5 + 2**32 False, 5 = [0, 5] False
#   random 5 = -5 True, 5 = 5 + 2**32 False
# Usage: bash findings/different-seeds-draw-the-same-numbers.sh   (installs torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import random

import numpy as np
import torch


def by_torch(seed: int) -> list[float]:
    return torch.rand(4, generator=torch.Generator().manual_seed(seed)).tolist()


def by_numpy(seed: int | list[int]) -> list[float]:
    return np.random.default_rng(seed).random(4).tolist()


def by_random(seed: int) -> list[float]:
    drawn = random.Random(seed)
    return [drawn.random() for _ in range(4)]


far = 5 + 2**32
runs = len({tuple(by_torch(run << 32 | 5)) for run in range(3)})
torch_same = by_torch(5) == by_torch(far)
padded, longer, packed = by_numpy(5) == by_numpy([5, 0]), by_numpy([5, 0]) == by_numpy([5, 0, 0, 0]), by_numpy(far) == by_numpy([5, 1])
apart, swapped = by_numpy(5) == by_numpy(far), by_numpy(5) == by_numpy([0, 5])
sign, wide = by_random(5) == by_random(-5), by_random(5) == by_random(far)
try:
    by_numpy(-5)
    refused = False
except ValueError:
    refused = True
print(f"torch 5 = 5 + 2**32 {torch_same}, distinct first draws of three runs seeded by run << 32 | user: {runs}")
print(f"NumPy 5 = [5, 0] {padded}, [5, 0] = [5, 0, 0, 0] {longer}, 5 + 2**32 = [5, 1] {packed},", end=" ")
print(f"5 = 5 + 2**32 {apart}, 5 = [0, 5] {swapped}")
print(f"random 5 = -5 {sign}, 5 = 5 + 2**32 {wide}")
assert torch_same and runs == 1 and padded and longer and packed and not apart and not swapped and sign and not wide and refused
assert by_torch(5) != by_torch(6)
END
echo "as found: different-seeds-draw-the-same-numbers"
