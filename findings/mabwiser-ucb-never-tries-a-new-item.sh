#!/usr/bin/env bash
# mabwiser's UCB1, made to try what is unknown, never shows an item that was never shown.
#
# Guess beforehand: an item without a trial has an unlimited upper bound and is shown next, as in the textbook.
# Found: its bound is 0. Items with a click rate above nothing have a positive bound, so it is never chosen: 0 of 1,000 rounds with a
# learning step after each, for an item that was added later and for one that was there from the beginning, although both are clicked each
# time that they are shown. With epsilon-greedy it is tried and wins.
# Why it matters: UCB is chosen because it explores. Every item that comes into the shop after the first training stays without a show for
# ever, and the log looks like one of a good policy: it has converged.
# Output seen:
#   shown of 1000 by UCB1: 0 and 0; more than half by epsilon-greedy: True
# Usage: bash findings/mabwiser-ucb-never-tries-a-new-item.sh   (installs mabwiser==2.7.4 numpy==2.3.5 pandas==3.1.1 scikit-learn==1.9.1 scipy==1.17.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check mabwiser==2.7.4 numpy==2.3.5 pandas==3.1.1 scikit-learn==1.9.1 scipy==1.17.1
env/bin/python - <<'END'
import numpy
from mabwiser.mab import MAB, LearningPolicy


def shown(policy, rounds: int = 1000) -> dict[str, int]:
    draw = numpy.random.default_rng(0)
    chance = {"a": 0.2, "b": 0.3, "never": 1.0, "new": 1.0}
    model = MAB(["a", "b", "never"], policy, seed=1)
    model.fit(["a", "a", "b", "b"], [1, 0, 1, 0])
    model.add_arm("new")
    count = dict.fromkeys(chance, 0)
    for _ in range(rounds):
        item = model.predict()
        count[item] += 1
        model.partial_fit([item], [int(draw.random() < chance[item])])
    return count


upper, greedy = shown(LearningPolicy.UCB1(alpha=1.25)), shown(LearningPolicy.EpsilonGreedy(epsilon=0.1))
print(f"shown of 1000 by UCB1: {upper['never']} and {upper['new']}; more than half by epsilon-greedy: {greedy['never'] + greedy['new'] > 500}")
assert upper["never"] == upper["new"] == 0 and greedy["never"] + greedy["new"] > 500
END
echo "as found: mabwiser-ucb-never-tries-a-new-item"
