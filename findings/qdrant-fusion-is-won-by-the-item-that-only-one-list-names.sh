#!/usr/bin/env bash
# Qdrant's reciprocal rank fusion puts the item first that one of two lists puts first and the other does not hold; with the constant of the
# paper it comes behind all items that both hold.
#
# Guess beforehand: fusion by ranks prefers what both lists hold near their top, in every tool.
# Found: the constant k is 2 in Qdrant (here its local mode) and 60 in the paper. With 2, first place in one list counts 0.5, and fourth
# place in both counts 0.4. With k=60 (RrfQuery) an item in both lists of ten beats any item in one. The name is the same, and so is the
# formula.
# Why it matters: fusion of a text model and a collaborative model is meant to reward agreement. With k = 2 it takes the two lists in turns.
# Figures and weights that were found with one tool do not hold for the other.
# Output seen:
#   text [0, 2, 3, 4, 5, 1, 6, 7, 8, 9], clicks [19, 18, 17, 16, 3, 1, 2, 4, 5, 15]
#   fused [0, 19, 2, 3, 18, 4], with k=60 [3, 2, 4, 1, 5, 0]; in both lists [1, 2, 3, 4, 5]
# Usage: bash findings/qdrant-fusion-is-won-by-the-item-that-only-one-list-names.sh   (installs qdrant-client==1.20.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check qdrant-client==1.20.0 numpy==2.3.5
env/bin/python - <<'END'
from qdrant_client import QdrantClient, models

TEXT = [0, 2, 3, 4, 5, 1, 6, 7, 8, 9]
CLICKS = [19, 18, 17, 16, 3, 1, 2, 4, 5, 15]
client = QdrantClient(":memory:")
size = models.VectorParams(size=1, distance=models.Distance.DOT)
client.create_collection("items", vectors_config={"text": size, "clicks": size})


def score(order: list[int], item: int) -> list[float]:
    return [100.0 - order.index(item) if item in order else 0.0]


client.upsert("items", [models.PointStruct(id=item, vector={"text": score(TEXT, item), "clicks": score(CLICKS, item)}) for item in range(20)])


def fused(query) -> list[int]:
    lists = [models.Prefetch(query=[1.0], using=name, limit=10) for name in ("text", "clicks")]
    return [point.id for point in client.query_points("items", prefetch=lists, query=query, limit=16).points]


small, paper = fused(models.FusionQuery(fusion=models.Fusion.RRF)), fused(models.RrfQuery(rrf=models.Rrf(k=60)))
both = set(TEXT) & set(CLICKS)
print(f"text {TEXT}, clicks {CLICKS}")
print(f"fused {small[:6]}, with k=60 {paper[:6]}; in both lists {sorted(both)}")
assert set(small[:2]) == {0, 19} and set(paper[: len(both)]) == both
END
echo "as found: qdrant-fusion-is-won-by-the-item-that-only-one-list-names"
