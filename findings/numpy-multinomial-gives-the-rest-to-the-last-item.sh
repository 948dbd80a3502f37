#!/usr/bin/env bash
# NumPy draws from popularity without the bought items, and the last item of the catalogue gets eight of ten draws.
#
# Guess beforehand: chances that do not add up to 1 are refused, as choice does it, or scaled, as random.choices does it.
# Found: rng.multinomial looks only that all chances but the last add up to at most 1, and gives the last item what is missing. Three
# items with 0.1 each: of 1,000 draws the last one gets 8 of 10. With a chance of 0 for it, it is drawn all the same. rng.choice raises
# for the same chances, and Python's random.choices draws each of the three in a third of the cases. Generator and RandomState agree.
# Why it matters: bought or sold-out items are masked by a 0 in a vector that added up to 1, and scaling is forgotten. choice tells,
# multinomial, which is the fast way to many draws, fills negatives and simulated clicks with the item that happens to stand last.
# Output seen:
#   numpy multinomial [92, 102, 806]; last item with chance 0: drawn 806 times; choice refuses True; random.choices about a third each True
# Usage: bash findings/numpy-multinomial-gives-the-rest-to-the-last-item.sh   (installs numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.3.5
env/bin/python - <<'END'
import random

import numpy as np

drawn = np.random.default_rng(0).multinomial(1000, [0.1, 0.1, 0.1])
never = np.random.default_rng(0).multinomial(1000, [0.1, 0.1, 0.0])
old = np.random.RandomState(0).multinomial(1000, [0.1, 0.1, 0.1])
refuses = False
try:
    np.random.default_rng(0).choice(3, 1000, p=[0.1, 0.1, 0.1])
except ValueError:
    refuses = True
counts = np.bincount(random.Random(0).choices(range(3), [0.1, 0.1, 0.1], k=3000), minlength=3)
thirds = bool(((counts > 850) & (counts < 1150)).all())
print(f"numpy multinomial {drawn.tolist()}; last item with chance 0: drawn {never[2]} times; choice refuses {refuses}; random.choices about a third each {thirds}")
assert drawn[2] > 700 and old[2] > 700 and never[2] > 700 and refuses and thirds
END
echo "as found: numpy-multinomial-gives-the-rest-to-the-last-item"
