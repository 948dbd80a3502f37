#!/usr/bin/env bash
# chromadb's get(ids=["c", "a", "b"]) gives the vectors of a, b and c, in this order, and add() of a known item changes nothing and says
# nothing.
#
# Guess beforehand: vectors come in the order of the ids that were asked for, as rows of a table do; an id that is there is refused or
# replaced.
# Found: they come in the order in which they were added. The answer holds its ids, which say so, if one looks. An id that does not exist
# is left out, so that fewer rows come. add() with an id that the collection has keeps the old vector, without an error or a warning;
# upsert() replaces it. {"stock": {"$ne": 0}} returns items that have no stock field as well.
# Why it matters: "vectors of these candidates", put beside their scores or labels row by row, belong to other items, and fit in number
# and shape. A nightly add() of new vectors keeps those of the first night.
# Output seen:
#   asked for ['c', 'a', 'b']: ids ['a', 'b', 'c'], vectors [1.0, 2.0, 3.0]; after add of a = 9: 1.0, after upsert: 9.0; stock not 0: ['b', 'c']
# Usage: bash findings/chromadb-gives-vectors-in-another-order.sh   (installs chromadb==1.5.9 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check chromadb==1.5.9 numpy==2.3.5
env/bin/python - <<'END'
import os

os.environ["ANONYMIZED_TELEMETRY"] = "False"
import chromadb

items = chromadb.EphemeralClient().create_collection("items", embedding_function=None)
items.add(ids=["a", "b", "c"], embeddings=[[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]], metadatas=[{"stock": 0}, {"stock": 4}, {"brand": "acme"}])


def first(*ids: str) -> list[float]:
    return [float(vector[0]) for vector in items.get(ids=list(ids), include=["embeddings"])["embeddings"]]


answer = items.get(ids=["c", "a", "b"], include=["embeddings"])
vectors = [float(vector[0]) for vector in answer["embeddings"]]
items.add(ids=["a"], embeddings=[[9.0, 0.0]])
added = first("a")[0]
items.upsert(ids=["a"], embeddings=[[9.0, 0.0]])
upserted = first("a")[0]
sold = items.get(where={"stock": {"$ne": 0}})["ids"]
print(f"asked for ['c', 'a', 'b']: ids {answer['ids']}, vectors {vectors}; after add of a = 9: {added}, after upsert: {upserted}; stock not 0: {sold}")
assert answer["ids"] == ["a", "b", "c"] and vectors == [1.0, 2.0, 3.0] and (added, upserted) == (1.0, 9.0) and sold == ["b", "c"]
END
echo "as found: chromadb-gives-vectors-in-another-order"
