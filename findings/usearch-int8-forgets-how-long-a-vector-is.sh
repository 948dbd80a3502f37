#!/usr/bin/env bash
# A usearch index of type i8 finds 7 of the 10 best items by product, and 6 of the 10 nearest, where f32 and bf16 find all; it forgets how
# long each vector is.
#
# Guess beforehand: eight bits cost a few of a hundred places; numbers above the range are cut, and the metric stays the one that was named.
# Found: with dtype="i8" each vector is divided by its own length and multiplied by 127, whatever the metric is. So the inner product is
# the cosine, and the squared distance that between directions: two items in one direction, of which one is ten times as long, are one
# vector. For cos, where length means nothing, 98 of 100 places are right. get() gives the small whole numbers.
# Why it matters: in matrix factorisation the length of an item's vector is its popularity, and user times item is the score. The index
# that was made four times smaller recommends by another score, and recall looks like that of coarse rounding. Scale the vectors into the
# range and keep them in f16, or store one scale of your own.
# Output seen:
#   ip: recall f32 1.00, bf16 1.00, i8 0.67
#   l2sq: recall f32 1.00, bf16 1.00, i8 0.64
#   cos: recall f32 1.00, bf16 1.00, i8 0.98
#   [1, 1, 0, 0] and [10, 10, 0, 0] are stored as [89, 89, 0, 0] and [89, 89, 0, 0]
# Usage: bash findings/usearch-int8-forgets-how-long-a-vector-is.sh   (installs usearch==2.26.6 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.3.5
env/bin/python - <<'END'
import numpy
from usearch.index import Index

rng = numpy.random.default_rng(0)
items = (rng.normal(size=(500, 16)) * 3).astype("float32")
users = (rng.normal(size=(50, 16)) * 3).astype("float32")
directions = [table / numpy.linalg.norm(table, axis=1, keepdims=True) for table in (users, items)]
losses = {
    "ip": -users @ items.T,
    "l2sq": ((users[:, None] - items[None]) ** 2).sum(-1),
    "cos": -directions[0] @ directions[1].T,
}
recall = {}
for metric, loss in losses.items():
    best = numpy.argsort(loss, axis=1)[:, :10]
    for kind in ("f32", "bf16", "i8"):
        index = Index(ndim=16, metric=metric, dtype=kind)
        index.add(numpy.arange(500), items, threads=1)
        found = index.search(users, 10, exact=True, threads=1).keys
        recall[metric, kind] = float(numpy.mean([len(set(a) & set(b)) / 10 for a, b in zip(best.tolist(), found.tolist())]))
    print(f"{metric}: recall " + ", ".join(f"{kind} {recall[metric, kind]:.2f}" for kind in ("f32", "bf16", "i8")))
index = Index(ndim=4, metric="ip", dtype="i8")
index.add(numpy.arange(2), numpy.array([[1, 1, 0, 0], [10, 10, 0, 0]], "float32"))
short, long = (index.get(key).tolist() for key in (0, 1))
print(f"[1, 1, 0, 0] and [10, 10, 0, 0] are stored as {short} and {long}")
assert min(recall[metric, kind] for metric in losses for kind in ("f32", "bf16")) > 0.97
assert recall["ip", "i8"] < 0.8 and recall["l2sq", "i8"] < 0.8 and recall["cos", "i8"] > 0.95 and short == long
END
echo "as found: usearch-int8-forgets-how-long-a-vector-is"
