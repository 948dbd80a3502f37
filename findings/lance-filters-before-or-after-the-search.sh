#!/usr/bin/env bash
# One table, one filter, one query: LanceDB returns the 10 nearest items in stock, and Lance, which it is built on, returns none.
#
# Guess beforehand: a search for 10 items with a filter gives 10 items that pass it, if there are as many, in both.
# Found: lancedb filters first. In pylance's to_table(nearest=..., filter=...) the 10 nearest of all items are found and those that do not
# pass are dropped: with one item in 50 in stock, 200 queries get 0.3 items on average and most get none. prefilter=True is the
# way out; to_table without it says nothing about short lists. Both read the same files.
# Why it matters: a service that opens the files with lance rather than lancedb, to save a layer, has empty lists, and recall measured in one
# says nothing about the other. Filters that pass most items hide it.
# Output seen:
#   of 1000 items 20 in stock, lists of 10, mean length over 200 queries: lancedb 10.0, lance 0.3, lance with prefilter=True 10.0
#   queries without any item: lancedb 0, lance more than 150
# Usage: bash findings/lance-filters-before-or-after-the-search.sh   (installs lancedb==0.40.0 pylance==14.0.2 pyarrow==26.0.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check lancedb==0.40.0 pylance==14.0.2 pyarrow==26.0.1 numpy==2.4.6
env/bin/python - <<'END'
import lance
import lancedb
import numpy as np
import pyarrow as pa

rng = np.random.default_rng(0)
vectors = rng.normal(size=(1000, 8)).astype(np.float32)
queries = rng.normal(size=(200, 8)).astype(np.float32)
items = {"item": np.arange(1000), "stock": np.arange(1000) % 50 == 0, "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 8)}
table = lancedb.connect("shop").create_table("items", pa.table(items))
files = lance.dataset("shop/items.lance")


def by_lance(query, **settings) -> int:
    return files.to_table(nearest={"column": "vector", "q": query, "k": 10}, filter="stock", **settings).num_rows


first = [table.search(query).where("stock").limit(10).to_arrow().num_rows for query in queries]
second = [by_lance(query) for query in queries]
third = [by_lance(query, prefilter=True) for query in queries]
means = [round(float(np.mean(lengths)), 1) for lengths in (first, second, third)]
print("of 1000 items 20 in stock, lists of 10, mean length over 200 queries: lancedb {}, lance {}, lance with prefilter=True {}".format(*means))
print(f"queries without any item: lancedb {first.count(0)}, lance {'more than 150' if second.count(0) > 150 else second.count(0)}")
assert means[0] == means[2] == 10 and means[1] < 1 and first.count(0) == 0 and second.count(0) > 150
END
echo "as found: lance-filters-before-or-after-the-search"
