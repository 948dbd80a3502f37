#!/usr/bin/env bash
# Grouped by price, Qdrant's local mode leaves out the items of 5.0 and 5.5 and keeps those of 5 and "5"; sorted by price it has all but
# "5", and matched with 5 it finds 5 alone.
#
# Guess beforehand: 5 and 5.0 are one price, in all three ways of asking, and every item is in a group.
# Found: only whole numbers and texts make groups. Items with a float, with None or without the field are in none, and nothing says how
# many. A match of 5 does not find 5.0, and a range from 5 to 5 finds both. An item with two brands is in both groups. pandas makes 5.0 of 5
# as soon as one price of a column is missing or has cents.
# Why it matters: "three per brand" or "two per price" is how lists are made diverse. Items whose number came through a table with a gap are
# not in them any more, and a shop with prices in cents gets an empty page.
# Output seen:
#   prices {1: 5, 2: 5.0, 3: 5.5, 4: '5', 5: None}: grouped [1, 4], sorted [1, 2, 3], matched with 5 [1], from 5 to 5 [1, 2]
# Usage: bash findings/qdrant-groups-leave-out-items-whose-price-has-a-point.sh   (installs qdrant-client==1.20.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check qdrant-client==1.20.0 numpy==2.3.5
env/bin/python - <<'END'
from qdrant_client import QdrantClient, models

PRICES = {1: 5, 2: 5.0, 3: 5.5, 4: "5", 5: None}
client = QdrantClient(":memory:")
client.create_collection("items", vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT))
client.upsert("items", [models.PointStruct(id=item, vector=[1.0], payload={"price": price}) for item, price in PRICES.items()])


def which(condition: models.FieldCondition) -> list[int]:
    return [point.id for point in client.scroll("items", scroll_filter=models.Filter(must=[condition]))[0]]


groups = client.query_points_groups("items", query=[1.0], group_by="price", limit=9, group_size=9).groups
grouped = sorted(hit.id for group in groups for hit in group.hits)
ordered = sorted(point.id for point in client.scroll("items", order_by="price")[0])
matched = which(models.FieldCondition(key="price", match=models.MatchValue(value=5)))
ranged = which(models.FieldCondition(key="price", range=models.Range(gte=5, lte=5)))
print(f"prices {PRICES}: grouped {grouped}, sorted {ordered}, matched with 5 {matched}, from 5 to 5 {ranged}")
assert grouped == [1, 4] and ordered == [1, 2, 3] and matched == [1] and ranged == [1, 2]
END
echo "as found: qdrant-groups-leave-out-items-whose-price-has-a-point"
