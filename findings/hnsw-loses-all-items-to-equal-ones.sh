#!/usr/bin/env bash
# A thousand items with one and the same vector hide the other 4,000 items from HNSW: the recall of faiss falls from 1.0 to below a half.
#
# Guess beforehand: equal vectors fill up a list only where they are near; a user who is far from them gets the same ten items as before.
# Found: the graph links a new item to its nearest ones. Among equal vectors all of these are equal ones, so that their places for links are
# taken, and none leads on. 4,000 items of 16 numbers and 1,000 items that share one vector, in mixed order: faiss, usearch and nmslib, each
# of which finds more than 97 percent without the equal ones, find much less with them. faiss and nmslib search with a width of 64. The
# index reports nothing.
# Why it matters: items without a text or picture get the vector of the empty text, and a catalogue of variants has thousands of equal ones.
# They need not be wanted by anybody: it is the other items that are lost, and for users who are nowhere near. One has to index each vector
# once.
# Output seen:
#   recall of the ten nearest without equal items: faiss, usearch and nmslib above 0.97; with 1,000 equal ones: faiss below 0.5, usearch below 0.8, nmslib below 0.8
# Usage: bash findings/hnsw-loses-all-items-to-equal-ones.sh   (installs faiss-cpu==1.15.1 usearch==2.26.6 nmslib==2.1.2 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check faiss-cpu==1.15.1 usearch==2.26.6 nmslib==2.1.2 numpy==2.4.6
env/bin/python - <<'END'
import contextlib
import os

os.environ["OMP_NUM_THREADS"] = "1"
import faiss
import nmslib
import numpy as np
from usearch.index import Index

rng = np.random.default_rng(0)
others, users = rng.normal(size=(4000, 16)).astype(np.float32), rng.normal(size=(100, 16)).astype(np.float32)
equal = np.full((1000, 16), 0.3, np.float32)
mixed = rng.permutation(np.concatenate([others, equal]))


def by_faiss(items):
    index = faiss.IndexHNSWFlat(16, 32)
    index.hnsw.efSearch = 64
    index.add(items)
    return index.search(users, 10)[1]


def by_usearch(items):
    index = Index(ndim=16, metric="l2sq", dtype="f32")
    index.add(np.arange(len(items)), items, threads=1)
    return index.search(users, 10, threads=1).keys


def by_nmslib(items):
    index = nmslib.init(method="hnsw", space="l2")
    index.addDataPointBatch(items)
    index.createIndex({"M": 16, "indexThreadQty": 1})
    index.setQueryTimeParams({"efSearch": 64})
    return [index.knnQuery(user, 10)[0] for user in users]


def recall(search, items) -> float:
    """Share of the ten smallest distances that are reached; equal items count alike."""
    distances = ((users[:, None] - items[None]) ** 2).sum(-1)
    far = np.sort(distances, axis=1)[:, 9] + 1e-4
    return float(np.mean([(row[np.asarray(found, int)] <= limit).sum() / 10 for row, found, limit in zip(distances, search(items), far, strict=True)]))


engines = {"faiss": by_faiss, "usearch": by_usearch, "nmslib": by_nmslib}
before = {name: recall(search, others) for name, search in engines.items()}
after = {name: recall(search, mixed) for name, search in engines.items()}
limits = {"faiss": 0.5, "usearch": 0.8, "nmslib": 0.8}
words = ", ".join(f"{name} {f'below {limits[name]}' if share < limits[name] else share}" for name, share in after.items())
print(f"recall of the ten nearest without equal items: {'faiss, usearch and nmslib above 0.97' if min(before.values()) > 0.97 else before}; with 1,000 equal ones: {words}")
assert min(before.values()) > 0.97 and all(share < limits[name] for name, share in after.items())
END
echo "as found: hnsw-loses-all-items-to-equal-ones"
