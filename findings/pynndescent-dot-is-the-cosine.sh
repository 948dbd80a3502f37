#!/usr/bin/env bash
# pynndescent's metric "dot" finds 3 of the 10 best items by dot product: it ranks by cosine. "inner_product" is the other metric.
#
# Guess beforehand: "dot" ranks items by their dot product with the user, as its name says and as "dot" of other indexes does.
# Found: for vectors of different length, what "dot" gives is the list by cosine (0.98 of it), and of the ten best by product a third. There
# is no warning. With "inner_product" in its place nearly all of the ten best by product are found.
# Why it matters: in a matrix factorisation the length of an item's vector holds its popularity. An index that forgets it recommends other
# items than the model that was evaluated, and the loss looks like one of approximate search, which no wider search brings back.
# Output seen:
#   metric "dot": 0.32 of the ten best by product, 0.98 of the ten nearest by cosine
#   metric "inner_product": 0.99 of the ten best by product, 0.32 of the ten nearest by cosine
# Usage: bash findings/pynndescent-dot-is-the-cosine.sh   (installs pynndescent==0.7.0 numba==0.68.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pynndescent==0.7.0 numba==0.68.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy
import pynndescent

draw = numpy.random.default_rng(0)
items = draw.normal(size=(1000, 16)).astype("float32")
items *= draw.uniform(0.2, 3, size=(1000, 1)).astype("float32")
users = draw.normal(size=(50, 16)).astype("float32")
product = users @ items.T
cosine = product / numpy.linalg.norm(items, axis=1)
seen = {}
for metric in ("dot", "inner_product"):
    found, _ = pynndescent.NNDescent(items, metric=metric, random_state=0).query(users, k=10, epsilon=0.3)
    best = [numpy.argsort(-scores, axis=1)[:, :10] for scores in (product, cosine)]
    seen[metric] = [numpy.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, one)]) for one in best]
    print(f'metric "{metric}": {seen[metric][0]:.2f} of the ten best by product, {seen[metric][1]:.2f} of the ten nearest by cosine')
assert seen["dot"][0] < 0.5 and seen["dot"][1] > 0.9
assert seen["inner_product"][0] > 0.9 and seen["inner_product"][1] < 0.5
END
echo "as found: pynndescent-dot-is-the-cosine"
