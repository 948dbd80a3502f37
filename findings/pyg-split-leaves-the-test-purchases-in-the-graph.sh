#!/usr/bin/env bash
# After PyG's RandomLinkSplit, every test purchase of a user is still in the graph that the test is scored with, in the other direction.
#
# Guess beforehand: the split takes the test edges out of the graph, whichever way they point; is_undirected finds that out by itself.
# Found: a graph of users and items has the edges "bought" and, after ToUndirected, "rev_bought", as message passing needs them. The split
# of "bought" leaves "rev_bought" whole unless rev_edge_types names it. A rule that has learned nothing and looks whether the item points
# back at the user has the AUC 1.0 in the test; with rev_edge_types it has 0.5. The purchases are drawn at random, so there is nothing to
# learn. No warning.
# Why it matters: a graph network reads the answer from the edge that is left. Figures near 1 pass for a good model, and the model that is
# served, where the edge is not there yet, recommends by chance.
# Output seen:
#   share of the test purchases that point back: 1.0, with rev_edge_types 0.0; AUC of looking: 1.0, with rev_edge_types 0.5
# Usage: bash findings/pyg-split-leaves-the-test-purchases-in-the-graph.sh   (installs torch==2.13.0 torch_geometric==2.8.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 torch_geometric==2.8.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import torch
from torch_geometric.data import HeteroData
from torch_geometric.transforms import RandomLinkSplit, ToUndirected

torch.set_num_threads(1)
torch.manual_seed(0)
rng = np.random.default_rng(0)
graph = HeteroData()
graph["user"].num_nodes, graph["item"].num_nodes = 100, 200
bought, back = ("user", "bought", "item"), ("item", "rev_bought", "user")
graph[bought].edge_index = torch.tensor(np.array([(user, item) for user in range(100) for item in rng.choice(200, 8, replace=False)]).T)
graph = ToUndirected()(graph)


def look(**settings) -> tuple[float, float]:
    """Share of the test purchases whose item points back at the user, and the AUC of this as a score."""
    test = RandomLinkSplit(num_val=0.1, num_test=0.2, edge_types=[bought], **settings)(graph)[2]
    known = {(user, item) for item, user in test[back].edge_index.T.tolist()}
    pairs, labels = test[bought].edge_label_index.T.tolist(), test[bought].edge_label.bool().numpy()
    scores = np.array([tuple(pair) in known for pair in pairs], float)
    right, wrong = scores[labels][:, None], scores[~labels][None]
    return float(scores[labels].mean()), float((right > wrong).mean() + (right == wrong).mean() / 2)


plain, named = look(), look(rev_edge_types=[back])
print(f"share of the test purchases that point back: {plain[0]}, with rev_edge_types {named[0]}; AUC of looking: {plain[1]}, with rev_edge_types {named[1]}")
assert plain == (1.0, 1.0) and named == (0.0, 0.5)
END
echo "as found: pyg-split-leaves-the-test-purchases-in-the-graph"
