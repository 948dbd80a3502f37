#!/usr/bin/env bash
# networkx makes an edge of the last row of user and item, so an item that was bought a hundred times and then once weighs 1.
#
# Guess beforehand: repeated rows of a table become parallel edges or are added up.
# Found: from_pandas_edgelist makes a plain Graph, and each row of a pair writes over the one before: the weight is that of the last row.
# PageRank from the user then puts the item with 101 purchases last of three. create_using=MultiGraph keeps all rows, and pagerank adds
# their weights; so does igraph with weights="weight" (without it, igraph counts rows and does not read the column, which networkx reads if
# it has this name).
# Why it matters: logs repeat user and item, and random walks on the graph of users and items are a usual baseline. What a user buys most is
# recommended least, and the graph has the right nodes and pairs.
# Output seen:
#   weight of the item that was bought 100 + 1 times: Graph 1, MultiGraph 101
#   the user's items by PageRank: Graph ['pot', 'comb', 'cup'], MultiGraph ['cup', 'pot', 'comb'], igraph with weights ['cup', 'pot', 'comb']
# Usage: bash findings/networkx-keeps-one-of-a-users-hundred-purchases.sh   (installs networkx==3.6.1 igraph==1.0.0 pandas==2.3.3 scipy==1.17.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check networkx==3.6.1 igraph==1.0.0 pandas==2.3.3 scipy==1.17.1 numpy==2.4.6
env/bin/python - <<'END'
import igraph
import networkx as nx
import pandas as pd

log = pd.DataFrame(
    [("ann", "cup", 100), ("ann", "cup", 1), ("ann", "pot", 5), ("ann", "comb", 2)],
    columns=["user", "item", "weight"],
)


def best(ranks: dict[str, float]) -> list[str]:
    return sorted({"cup", "pot", "comb"}, key=lambda item: -ranks[item])


plain = nx.from_pandas_edgelist(log, "user", "item", "weight")
multi = nx.from_pandas_edgelist(log, "user", "item", "weight", create_using=nx.MultiGraph)
weights = plain["ann"]["cup"]["weight"], sum(edge["weight"] for edge in multi["ann"]["cup"].values())
graph = igraph.Graph.DataFrame(log, directed=False, use_vids=False)
walks = graph.personalized_pagerank(reset_vertices="ann", weights="weight")
lists = {
    "Graph": best(nx.pagerank(plain, personalization={"ann": 1})),
    "MultiGraph": best(nx.pagerank(multi, personalization={"ann": 1})),
    "igraph with weights": best(dict(zip(graph.vs["name"], walks, strict=True))),
}
print(f"weight of the item that was bought 100 + 1 times: Graph {weights[0]}, MultiGraph {weights[1]}")
print("the user's items by PageRank: " + ", ".join(f"{name} {items}" for name, items in lists.items()))
assert weights == (1, 101) and lists["Graph"] == ["pot", "comb", "cup"]
assert lists["MultiGraph"] == lists["igraph with weights"] == ["cup", "pot", "comb"]
END
echo "as found: networkx-keeps-one-of-a-users-hundred-purchases"
