#!/usr/bin/env bash
# In grain, item 10 of 10 items is item 0, item 1234 is item 4, and a data set of which five items were filtered out still has the length
# 10.
#
# Guess beforehand: a number past the end is an IndexError, as in a list, and len is the number of items that come out.
# Found: a MapDataset takes every number modulo its length, so that it can run for many epochs. Nothing is refused: ids that belong to
# another catalogue get items. After filter, len() is that of the unfiltered data, and [1] is None. After repeat(2).shuffle, the first ten
# of twenty hold some items twice and leave others out, and after shuffle.repeat(2) they hold each once.
# Why it matters: lookups of vectors and titles by item number are the common use of such a class. A code that is too large, a padding of -1
# (the last item) or an id from the day before finds a wrong item. Epochs that are counted by len are too many.
# Output seen:
#   numbers 10, 1234 and -1: ('item 0', 'item 4', 'item 9'); even items: length 10, number 1 is None, read 5
#   different items in the first 10 of 20: 8 after repeat and shuffle, 10 after shuffle and repeat
# Usage: bash findings/grain-has-no-end-of-the-items-and-counts-what-was-filtered-out.sh   (installs grain==0.2.18 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check grain==0.2.18 numpy==2.3.5
env/bin/python - <<'END'
import logging

logging.disable(logging.WARNING)
from grain import MapDataset

items = MapDataset.source([f"item {number}" for number in range(10)])
looked_up = items[10], items[1234], items[-1]
even = MapDataset.range(10).filter(lambda number: number % 2 == 0)
mixed = MapDataset.range(10).repeat(2).shuffle(seed=1)
epochs = MapDataset.range(10).shuffle(seed=1).repeat(2)
distinct = [len({data[place] for place in range(10)}) for data in (mixed, epochs)]
print(f"numbers 10, 1234 and -1: {looked_up}; even items: length {len(even)}, number 1 is {even[1]}, read {len(list(even.to_iter_dataset()))}")
print(f"different items in the first 10 of 20: {distinct[0]} after repeat and shuffle, {distinct[1]} after shuffle and repeat")
assert looked_up == ("item 0", "item 4", "item 9") and len(even) == 10 and even[1] is None and len(list(even.to_iter_dataset())) == 5
assert distinct[0] < 10 and distinct[1] == 10
END
echo "as found: grain-has-no-end-of-the-items-and-counts-what-was-filtered-out"
