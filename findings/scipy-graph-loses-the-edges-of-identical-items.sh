#!/usr/bin/env bash
# In scikit-learn's graph of near items, identical items are neighbours, and after g + g.T they are not.
#
# Guess beforehand: adding the transposed graph adds edges and takes none away.
# Found: radius_neighbors_graph(mode="distance") stores the distance 0 of two identical items as a zero that counts as an edge;
# connected_components follows it. Sums, maximum and the other elementwise operations of scipy's sparse matrices drop stored zeros. So the
# usual way to make the graph symmetric removes just the edges of distance 0. Items that are merely near keep theirs.
# Why it matters: groups of near-duplicates are found in this way, to merge variants or to keep copies of a test item out of the training.
# The exact copies are left apart, each a group of its own, and the less alike ones are joined.
# Output seen:
#   groups of 300 items (100 titles, three copies of each): graph 100, graph + transposed 300, maximum of both 300; copies moved by a millionth: 100, 100, 100
# Usage: bash findings/scipy-graph-loses-the-edges-of-identical-items.sh   (installs scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import radius_neighbors_graph

rng = np.random.default_rng(0)
titles = rng.normal(size=(100, 8))
copies = np.concatenate([titles, titles, titles])


def groups(vectors: np.ndarray) -> list[int]:
    graph = radius_neighbors_graph(vectors, 0.01, mode="distance")
    return [int(connected_components(one, directed=False)[0]) for one in (graph, graph + graph.T, graph.maximum(graph.T))]


equal, near = groups(copies), groups(copies + 1e-6 * rng.random(copies.shape))
print(f"groups of 300 items (100 titles, three copies of each): graph {equal[0]}, graph + transposed {equal[1]}, maximum of both {equal[2]}; copies moved by a millionth: {near[0]}, {near[1]}, {near[2]}")
assert equal == [100, 300, 300] and near == [100, 100, 100]
END
echo "as found: scipy-graph-loses-the-edges-of-identical-items"
