#!/usr/bin/env bash
# A voyager index for inner products finds 6 of the 10 best items, and all 10 if the same items are added from the longest vector to the
# shortest.
#
# Guess beforehand: the order of the items changes the graph a little; a search of width 200 finds nearly all of the ten in any order.
# Found: voyager turns inner products into distances with one more number for each vector, which comes from the largest length so far
# (read in its source). Items that were added before a longer one came keep theirs, so the graph is linked by distances that do not fit
# one another. 5,000 items of 16 numbers with lengths as popularity makes them (log-normal): 0.61 of the ten are found in random order,
# 1.0 sorted by length, falling as well as rising. hnswlib, with the same width, M and items, finds more than 0.98 in random order.
# Why it matters: two-tower models and matrix factorisation are searched by inner product, and lengths differ by popularity. A catalogue
# comes in order of its ids, so many recommendations are lost without any sign: the scores (1 - distance) of what is found are right.
# Output seen:
#   recall@10 by inner product: voyager in random order below 0.75, longest first 1.0, shortest first 1.0, hnswlib in random order above 0.98
# Usage: bash findings/voyager-inner-product-depends-on-the-order-of-items.sh   (installs voyager==2.2.3 hnswlib==0.8.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check voyager==2.2.3 hnswlib==0.8.0 numpy==2.3.5
env/bin/python - <<'END'
import hnswlib
import numpy as np
import voyager

rng = np.random.default_rng(0)
items = rng.normal(size=(5000, 16))
items *= np.exp(rng.normal(size=(5000, 1))) / np.linalg.norm(items, axis=1, keepdims=True)
items = items.astype(np.float32)
users = rng.normal(size=(200, 16)).astype(np.float32)
best = np.argsort(-(users @ items.T), axis=1)[:, :10]


def recall(found: np.ndarray) -> float:
    return float(np.mean([len(set(ours) & set(right)) / 10 for ours, right in zip(found.tolist(), best.tolist())]))


def by_voyager(order: np.ndarray) -> float:
    index = voyager.Index(voyager.Space.InnerProduct, 16, M=16, ef_construction=200, random_seed=1)
    index.add_items(items[order], ids=order, num_threads=1)
    found, distances = index.query(users, 10, num_threads=1, query_ef=200)
    assert np.allclose(1 - distances, np.take_along_axis(users @ items.T, found.astype(np.int64), 1), atol=1e-3)
    return recall(found)


length = np.linalg.norm(items, axis=1)
plain, falling, rising = (by_voyager(order) for order in (np.arange(5000), np.argsort(-length), np.argsort(length)))
graph = hnswlib.Index("ip", 16)
graph.init_index(5000, M=16, ef_construction=200, random_seed=1)
graph.add_items(items, num_threads=1)
graph.set_ef(200)
other = recall(graph.knn_query(users, 10, num_threads=1)[0])
low, high = ("below 0.75" if plain < 0.75 else plain), ("above 0.98" if other > 0.98 else other)
print(f"recall@10 by inner product: voyager in random order {low}, longest first {falling:.1f}, shortest first {rising:.1f}, hnswlib in random order {high}")
assert plain < 0.75 and falling > 0.98 and rising > 0.98 and other > 0.98
END
echo "as found: voyager-inner-product-depends-on-the-order-of-items"
