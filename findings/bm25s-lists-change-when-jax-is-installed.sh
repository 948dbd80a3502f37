#!/usr/bin/env bash
# The same BM25 search gives five other items once jax is installed, and a query of unknown words gets five items all the same.
#
# Guess beforehand: bm25s needs NumPy only; a package that no line of the program imports changes at most the speed. A query whose words
# no item has gets nothing.
# Found: bm25s takes jax for the top k as soon as it can import it. Scores are the same, but NumPy's choice among equal scores comes from a
# partition in no order, and jax takes the smallest positions. 143 items share the best score for "soap3": the two lists of five have no
# item in common. With no known word all scores are 0, and five items come back all the same: with jax the first rows of the table, with
# NumPy others (which ones may depend on the processor). Single letters and digits ("8") are no words by default.
# Why it matters: titles repeat words, so ties are common, and figures of a BM25 baseline differ between two machines with the same version
# and seed. Queries that find nothing are answered with items that look like found ones, the same for everybody.
# Output seen:
#   without jax: soap3 [185, 220, 535, 745, 829], unknown words [0, 1001, 1000, 999, 998] with scores of 0, "8" the same True
#   with jax: soap3 [3, 10, 17, 24, 31], unknown words [0, 1, 2, 3, 4] with scores of 0, "8" the same True
# Usage: bash findings/bm25s-lists-change-when-jax-is-installed.sh   (installs bm25s==0.3.16 numpy==2.4.6, then jax==0.10.2 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check bm25s==0.3.16 numpy==2.4.6
cat > search.py <<'END'
import json
import sys

import bm25s

titles = [f"soap{n % 7} blue {n}x" for n in range(1000)] + ["a size 8 shoe", "the c language"]
index = bm25s.BM25()
index.index(bm25s.tokenize(titles, show_progress=False), show_progress=False)


def best(query: str) -> tuple[list[int], list[float]]:
    items, scores = index.retrieve(bm25s.tokenize([query], show_progress=False), k=5, show_progress=False)
    return items[0].tolist(), scores[0].tolist()


soap, unknown, digit = best("soap3"), best("zebra lion"), best("8")
assert len(set(soap[1])) == 1 and soap[1][0] > 0 and set(unknown[1]) == {0}
print(f"{sys.argv[1]} jax: soap3 {soap[0]}, unknown words {unknown[0]} with scores of 0, \"8\" the same {digit == unknown}")
assert digit == unknown
json.dump([soap[0], unknown[0]], open(sys.argv[1], "w"))
END
env/bin/python search.py without
env/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2
env/bin/python search.py with
env/bin/python - <<'END'
import json

(plain, plain_unknown), (other, other_unknown) = json.load(open("without")), json.load(open("with"))
assert other == [3, 10, 17, 24, 31] and plain != other
assert other_unknown == [0, 1, 2, 3, 4] and plain_unknown != other_unknown
END
echo "as found: bm25s-lists-change-when-jax-is-installed"
