#!/usr/bin/env bash
# jax draws five different items from three that have a probability above zero: two of probability 0 are among them. NumPy and torch
# refuse.
#
# Guess beforehand: items with probability 0 are never drawn, and asking for more than there are is an error.
# Found: random.choice with replace=False sorts by noise, and items of probability 0 come last, but they come. With three possible items
# of six and five asked for, every draw of 200 has two that are impossible; NumPy's choice and torch's multinomial raise for the same
# input. Probabilities that add up to 0.5 are scaled in jax and refused by NumPy.
# Why it matters: bought and sold-out items are given probability 0 when lists or negatives are drawn. Users who bought much, and small
# categories, get bought items back, and only they, so that no test with a large catalogue shows it.
# Output seen:
#   draws of five with an item of probability 0: jax 200 of 200; NumPy refuses True
# Usage: bash findings/jax-draws-items-of-probability-zero.sh   (installs jax==0.10.2 jaxlib==0.10.2 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.3.5
env/bin/python - <<'END'
import jax
import numpy as np

chances = np.array([0.5, 0.3, 0.2, 0.0, 0.0, 0.0])
keys = jax.random.split(jax.random.key(0), 200)
draws = np.array(jax.vmap(lambda key: jax.random.choice(key, 6, (5,), replace=False, p=jax.numpy.array(chances)))(keys))
impossible = int((chances[draws] == 0).any(axis=1).sum())
refuses = False
try:
    np.random.default_rng(0).choice(6, 5, replace=False, p=chances)
except ValueError:
    refuses = True
print(f"draws of five with an item of probability 0: jax {impossible} of {len(draws)}; NumPy refuses {refuses}")
assert impossible == 200 and refuses and all(len(set(draw)) == 5 for draw in draws.tolist())
END
echo "as found: jax-draws-items-of-probability-zero"
