#!/usr/bin/env bash
# Vowpal Wabbit cannot tell item 1 from item 262145: their feature is one weight, in every model with default settings.
#
# Guess beforehand: features are hashed, so among a quarter of a million weights a few items share one by chance, in no pattern.
# Found: names that are numbers are not hashed: the number itself is added to the place of the namespace, and 2^18 weights are kept. Items
# n and n + 262,144 are one, always. Of 1,000 items from 1 on and 1,000 from 262,145 on, where all of the first were clicked and none of the
# second, all pairs have equal scores. With --hash all, which hashes numbers, too, none has; -b 19 moves the border to twice as far.
# Why it matters: item ids are numbers, and a catalogue of a million has four items on each weight. Training reports a loss and no clash.
# Output seen:
#   items 1 and 262145: scores 0.49 and 0.49; with --hash all 0.86 and 0.14
#   of 1000 pairs with equal scores: by default 1000, --hash all 0, -b 19 0
# Usage: bash findings/vowpal-wabbit-item-262145-is-item-1.sh   (installs vowpalwabbit==9.11.9 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check vowpalwabbit==9.11.9
env/bin/python - <<'END'
from vowpalwabbit import Workspace


def scores(pairs: list[tuple[int, int]], settings: str) -> list[tuple[float, float]]:
    """The first item of every pair was clicked, the second was not; a click's probability of both."""
    model = Workspace(f"--quiet --loss_function logistic --link logistic {settings}")
    for _ in range(20):
        for clicked, other in pairs:
            model.learn(f"1 |item {clicked}")
            model.learn(f"-1 |item {other}")
    return [(model.predict(f"|item {clicked}"), model.predict(f"|item {other}")) for clicked, other in pairs]


((one, other),), ((one_hashed, other_hashed),) = scores([(1, 262_145)], ""), scores([(1, 262_145)], "--hash all")
print(f"items 1 and 262145: scores {one:.2f} and {other:.2f}; with --hash all {one_hashed:.2f} and {other_hashed:.2f}")
assert one == other and one_hashed > 0.8 and other_hashed < 0.2
pairs = [(n, n + 2**18) for n in range(1, 1001)]
plain, hashed, wider = (sum(a == b for a, b in scores(pairs, settings)) for settings in ("", "--hash all", "-b 19"))
print(f"of {len(pairs)} pairs with equal scores: by default {plain}, --hash all {hashed}, -b 19 {wider}")
assert plain == 1000 and hashed < 10 and wider == 0
END
echo "as found: vowpal-wabbit-item-262145-is-item-1"
