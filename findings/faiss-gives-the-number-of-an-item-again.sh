#!/usr/bin/env bash
# After one of ten items was removed from a faiss index, six are found by the number of another item, or two by the same number.
#
# Guess beforehand: an item keeps its number until it is removed, and a new item gets one that no other has.
# Found: a new item gets the count of items as its number, and each kind has its own way to close the gap. IndexFlat moves all items
# behind the removed one down by one. IndexIVFFlat keeps them, so the next item gets a number that is taken: 9 is given for two
# items. IndexIDMap2 keeps numbers of one's own over a flat index. Over IVF, the map closes the gap and the index below does not,
# and each item behind it is found by the number of its neighbour. Right is add_with_ids of IVF itself. No message in any of them.
# Why it matters: the number is the only link to the catalogue, and items go off sale each day. From then on, lists name the item beside the
# one that was found, and a test of recall by vectors sees nothing.
# Output seen:
#   items 0, 1, 2, 4 ... 9 and two new ones are found as
#   Flat: 0 1 2 3 4 5 6 7 8, 9 10
#   IVF: 0 1 2 4 5 6 7 8 9, 9 10
#   IDMap2 over Flat: 0 1 2 4 5 6 7 8 9, 10 11
#   IDMap2 over IVF: 0 1 2 5 6 7 8 9 10, 10 11
#   IVF with numbers: 0 1 2 4 5 6 7 8 9, 10 11
# Usage: bash findings/faiss-gives-the-number-of-an-item-again.sh   (installs faiss-cpu==1.15.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
env/bin/python - <<'END'
import faiss
import numpy as np

faiss.omp_set_num_threads(1)
items = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
kept = [item for item in range(10) if item != 3]


def trained(kind: str):
    index = faiss.index_factory(16, kind)
    index.train(items)
    if kind.startswith("IVF"):
        index.nprobe = 4
    return index


def numbers(index, own: bool) -> tuple[list[int], list[int]]:
    """Numbers by which the items are found: the nine that are left without item 3, and two that were added afterwards."""
    for first, last in ((0, 10), (10, 12)):
        if own:
            index.add_with_ids(items[first:last], np.arange(first, last))
        else:
            index.add(items[first:last])
        if first == 0:
            assert index.remove_ids(np.array([3])) == 1
    old, new = (index.search(rows, 1)[1].ravel().tolist() for rows in (items[kept], items[10:12]))
    return old, new


found = {
    "Flat": numbers(trained("Flat"), False),
    "IVF": numbers(trained("IVF4,Flat"), False),
    "IDMap2 over Flat": numbers(faiss.IndexIDMap2(trained("Flat")), True),
    "IDMap2 over IVF": numbers(faiss.IndexIDMap2(trained("IVF4,Flat")), True),
    "IVF with numbers": numbers(trained("IVF4,Flat"), True),
}
print("items 0, 1, 2, 4 ... 9 and two new ones are found as")
for name, (old, new) in found.items():
    print(f"{name}: {' '.join(map(str, old))}, {' '.join(map(str, new))}")
assert found["Flat"] == (list(range(9)), [9, 10]) and found["IVF"] == (kept, [9, 10])
assert found["IDMap2 over Flat"] == found["IVF with numbers"] == (kept, [10, 11])
assert found["IDMap2 over IVF"] == ([0, 1, 2, 5, 6, 7, 8, 9, 10], [10, 11])
END
echo "as found: faiss-gives-the-number-of-an-item-again"
