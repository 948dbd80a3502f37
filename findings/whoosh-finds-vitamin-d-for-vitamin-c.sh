#!/usr/bin/env bash
# Whoosh gives "Vitamin C" and "Vitamin D" the same score for either query, cannot find the film "It", and finds vitamins for "-vitamin".
#
# Guess beforehand: a word of one letter is a word, as a digit is.
# Found: the standard analyzer drops words of one letter and stop words, in titles and in queries. "vitamin c", "lego 7" and "the who"
# become "vitamin", "lego" and "who". Items that differ in that word alone score the same, in the order in which they were added. A title
# that has only such words is never found, and the query "it" is empty and finds nothing. "-vitamin" is a search for vitamin, as the minus
# is dropped too.
# Why it matters: models, sizes and volumes are letters and digits: Vitamin C, size M, Part 2, Series X. The words that tell items apart are
# the words that are dropped, and tests with longer words do not show it.
# Output seen:
#   vitamin c: ['Vitamin D', 'Vitamin C'], equal scores True
#   lego 7: ['Lego 8', 'Lego 7'], equal scores True
#   the who: ['Who are you', 'The Who'], equal scores True
#   it: [], equal scores True
#   -vitamin: ['Vitamin D', 'Vitamin C'], equal scores True
# Usage: bash findings/whoosh-finds-vitamin-d-for-vitamin-c.sh   (installs whoosh-reloaded==2.7.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check whoosh-reloaded==2.7.5
env/bin/python - <<'END'
from whoosh import fields, index, qparser
import os

TITLES = ["Vitamin D", "Vitamin C", "Lego 8", "Lego 7", "It", "Who are you", "The Who"]
os.mkdir("items")
items = index.create_in("items", fields.Schema(title=fields.TEXT(stored=True)))
writer = items.writer()
for title in TITLES:
    writer.add_document(title=title)
writer.commit()
found = {}
with items.searcher() as searcher:
    for text in ("vitamin c", "lego 7", "the who", "it", "-vitamin"):
        hits = searcher.search(qparser.QueryParser("title", items.schema).parse(text))
        found[text] = [hit["title"] for hit in hits]
        print(f"{text}: {found[text]}, equal scores {len({hit.score for hit in hits}) < 2}")
        assert len({hit.score for hit in hits}) < 2
assert list(found.values()) == [TITLES[:2], TITLES[2:4], TITLES[5:], [], TITLES[:2]]
END
echo "as found: whoosh-finds-vitamin-d-for-vitamin-c"
