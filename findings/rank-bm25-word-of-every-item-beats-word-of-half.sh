#!/usr/bin/env bash
# In rank_bm25, a word that stands in every item counts nearly as much as a rare one, and a word of half of the items counts nothing.
#
# Guess beforehand: the more items hold a word, the less it counts; a word of all items counts nothing.
# Found: BM25Okapi's weight is log((N - n + 0.5) / (n + 0.5)): 0 for n = N/2 and negative above. Negative weights are replaced by a
# quarter of the mean weight of all words. Of ten items, a word in four weighs 0.37, in five 0, in six 0.28, in all ten 0.28. The query
# "blue new", with blue in five items and new in six, ranks by "new" alone.
# Why it matters: rank_bm25 is the usual text baseline and the usual retriever of hard negatives. In one category (shampoo, phone cases)
# the words that tell items apart are in about half of the titles, and those of all titles ("hair", "case") are what the ranking hears.
# Output seen:
#   weight of a word in 1, 4, 5, 6 and 10 of ten items: 1.85 0.37 0.00 0.28 0.28
#   query "blue new": an item with both 0.231, with new alone 0.294, with blue alone 0.000
# Usage: bash findings/rank-bm25-word-of-every-item-beats-word-of-half.sh   (installs rank-bm25==0.2.2 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check rank-bm25==0.2.2 numpy==2.4.6
env/bin/python - <<'END'
from rank_bm25 import BM25Okapi

has = {"red": range(4), "blue": (0, 1, 2, 3, 9), "new": range(6)}
items = [["soap", *(word for word, places in has.items() if n in places), f"name{n}"] for n in range(10)]
model = BM25Okapi(items)
weights = [round(float(model.idf[word]), 2) for word in ("name0", "red", "blue", "new", "soap")]
scores = model.get_scores(["blue", "new"]).round(3)
print("weight of a word in 1, 4, 5, 6 and 10 of ten items:", *(f"{weight:.2f}" for weight in weights))
print(f'query "blue new": an item with both {scores[0]:.3f}, with new alone {scores[5]:.3f}, with blue alone {scores[9]:.3f}')
assert weights[2] == 0 < weights[3] == weights[4] < weights[1] < weights[0]
assert scores[9] == 0 < scores[0] <= scores[5]
END
echo "as found: rank-bm25-word-of-every-item-beats-word-of-half"
