#!/usr/bin/env bash
# The first code that faiss's ResidualQuantizer gives to an item is not its nearest centroid for one item in four.
#
# Guess beforehand: residual quantization goes level by level: the first code is the nearest centroid, the second that of the rest.
# Found: codes are searched with a beam of five, so the first code is the one that the later levels can complete best. Of 5,000 vectors
# with three levels of 64 centroids, 26 percent have another first code than the nearest. With the same first two codebooks and no third
# level, 38 percent of the items get another pair of codes. max_beam_size = 1 is greedy: both differences are 0.
# Why it matters: semantic IDs are read from left to right, and a shared prefix is taken as likeness. Here an ID of two levels is not the
# beginning of the ID of three, an item's coarse cluster depends on how many levels follow, and a service that encodes
# new items greedily gives other IDs with the same codebooks.
# Output seen:
#   beam 5: first code is the nearest 0.74, codes of two levels begin those of three 0.62
#   beam 1: first code is the nearest 1.0, codes of two levels begin those of three 1.0
# Usage: bash findings/faiss-residual-codes-are-no-prefixes.sh   (installs faiss-cpu==1.15.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
env/bin/python - <<'END'
import faiss
import numpy as np

faiss.omp_set_num_threads(1)
size, bits = 32, 6
items = np.random.default_rng(0).normal(size=(5000, size)).astype(np.float32)
three = faiss.ResidualQuantizer(size, 3, bits)
three.train(items)
books = faiss.vector_to_array(three.codebooks).reshape(-1, size)
two = faiss.ResidualQuantizer(size, 2, bits)
faiss.copy_array_to_vector(books[: 2 * 2**bits].ravel().copy(), two.codebooks)
two.is_trained = True
nearest = ((items[:, None] - books[None, : 2**bits]) ** 2).sum(-1).argmin(1)
found = []
for beam in (three.max_beam_size, 1):
    three.max_beam_size = two.max_beam_size = beam
    long, short = (faiss.unpack_bitstrings(one.compute_codes(items), one.M, bits) for one in (three, two))
    first, prefix = float((long[:, 0] == nearest).mean()), float((long[:, :2] == short).all(1).mean())
    print(f"beam {beam}: first code is the nearest {round(first, 2)}, codes of two levels begin those of three {round(prefix, 2)}")
    found.append((beam, first, prefix))
(beam, first, prefix), (_, greedy, same) = found
assert beam == 5 and first < 0.9 and prefix < 0.9 and greedy > 0.999 and same > 0.999
END
echo "as found: faiss-residual-codes-are-no-prefixes"
