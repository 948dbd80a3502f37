#!/usr/bin/env bash
# Two of three negatives that PyG's structured_negative_sampling draws for a user are users, and none of them is a purchase.
#
# Guess beforehand: the third node of (user, bought, not bought) is one of the nodes that stand on the right side of edges, an item.
# Found: it is any node but a neighbour. In a graph of 100 users and 50 items, numbered in one row as LightGCN asks for, two of three
# negatives are users. With items numbered from 0 beside the users, half are numbers that no item has (up to the number of users).
# num_nodes=50 with items from 0 makes all of them items. negative_sampling takes num_nodes=(users, items) and draws items only.
# Why it matters: it is the function that is made for the pairs of BPR. Two of three pairs teach that a purchase is better than a person,
# which is learned at once: the loss falls quickly and low, and the model has seen a third of its negatives. The share grows with users per
# item.
# Output seen:
#   negatives that are no items: one numbering above 0.6, items from 0 above 0.4, num_nodes=50 0.0, negative_sampling 0.0
# Usage: bash findings/pyg-structured-negatives-are-users.sh   (installs torch==2.13.0 torch_geometric==2.8.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 torch_geometric==2.8.1 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
import torch
from torch_geometric.utils import negative_sampling, structured_negative_sampling

torch.set_num_threads(1)
torch.manual_seed(0)
rng = np.random.default_rng(0)
USERS, ITEMS = 100, 50
edges = torch.tensor(np.array([(user, item) for user in range(USERS) for item in rng.choice(ITEMS, 5, replace=False)]).T)
joined = edges + torch.tensor([[0], [USERS]])
drawn = torch.cat([structured_negative_sampling(joined, num_nodes=USERS + ITEMS)[2] for _ in range(20)])
apart = torch.cat([structured_negative_sampling(edges)[2] for _ in range(20)])
named = structured_negative_sampling(edges, num_nodes=ITEMS)[2]
plain = negative_sampling(edges, num_nodes=(USERS, ITEMS))[1]
shares = {
    "one numbering": (drawn < USERS).float().mean(),
    "items from 0": (apart >= ITEMS).float().mean(),
    "num_nodes=50": (named >= ITEMS).float().mean(),
    "negative_sampling": (plain >= ITEMS).float().mean(),
}
words = {name: f"above {limit}" if limit and float(share) > limit else f"{float(share):.1f}" for (name, share), limit in zip(shares.items(), (0.6, 0.4, 0, 0), strict=True)}
print("negatives that are no items: " + ", ".join(f"{name} {word}" for name, word in words.items()))
assert list(words.values()) == ["above 0.6", "above 0.4", "0.0", "0.0"]
END
echo "as found: pyg-structured-negatives-are-users"
