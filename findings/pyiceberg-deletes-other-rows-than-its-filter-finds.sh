#!/usr/bin/env bash
# pyiceberg finds items 2 and 3 with a filter and deletes item 2 only with the same filter; with another one it deletes an item that it did
# not find.
# 
# Guess beforehand: delete(filter) removes the rows that scan(row_filter=filter) returns, and the answer does not depend on how the table
# is partitioned.
# Found: items 1 to 4 have the brands x, y, none and x. "brand not in ('x', 'z')" finds 2 and 3 (the item without a brand) and deletes 2.
# "brand != 'q'" finds all but item 3 and deletes all four. "brand != 'x'" finds item 2; it deletes item 2, and if the table is partitioned
# by brand it deletes item 3 as well. For whole files a missing brand is unequal to every brand, for single rows it is neither equal nor
# unequal, and scan and delete turn the condition around in different ways.
# Why it matters: "delete what is not of our brands" is how a catalogue is cleaned. Items without a brand are lost, or stay, by the layout
# of the table, and a scan beforehand with the same filter shows other rows. Name them: "brand is not null and ..." or "brand is null or
# ...".
# Output seen:
#   one file: brand != 'x': found [2], deleted [2]
#   one file: brand not in ('x', 'z'): found [2, 3], deleted [2]
#   one file: brand != 'q': found [1, 2, 4], deleted [1, 2, 3, 4]
#   by brand: brand != 'x': found [2], deleted [2, 3]
#   by brand: brand not in ('x', 'z'): found [2, 3], deleted [2, 3]
#   by brand: brand != 'q': found [1, 2, 4], deleted [1, 2, 3, 4]
# Usage: bash findings/pyiceberg-deletes-other-rows-than-its-filter-finds.sh   (installs pyiceberg[sql-sqlite,pyarrow]==0.12.0 pyarrow==25.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyiceberg[sql-sqlite,pyarrow]==0.12.0 pyarrow==25.0.1
env/bin/python - <<'END'
import pathlib

import pyarrow
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

here = pathlib.Path.cwd()
catalog = SqlCatalog("shop", uri=f"sqlite:///{here}/catalog.db", warehouse=f"file://{here}")
catalog.create_namespace("shop")
items = pyarrow.table({"item": pyarrow.array([1, 2, 3, 4], "int64"), "brand": ["x", "y", None, "x"]})
schema = Schema(NestedField(1, "item", LongType()), NestedField(2, "brand", StringType()))
layouts = {"one file": PartitionSpec(), "by brand": PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "brand"))}


def numbers(scan) -> list[int]:
    return sorted(scan.to_arrow()["item"].to_pylist())


seen = {}
for layout, spec in layouts.items():
    for row, condition in enumerate(("brand != 'x'", "brand not in ('x', 'z')", "brand != 'q'")):
        table = catalog.create_table(f"shop.{layout[:3].strip()}{row}", schema, partition_spec=spec)
        table.append(items)
        found = numbers(table.scan(row_filter=condition))
        table.delete(condition)
        deleted = sorted({1, 2, 3, 4} - set(numbers(table.scan())))
        print(f"{layout}: {condition}: found {found}, deleted {deleted}")
        seen[layout, row] = found, deleted
assert seen["one file", 0] == ([2], [2]) and seen["by brand", 0] == ([2], [2, 3])
assert seen["one file", 1] == ([2, 3], [2]) and seen["by brand", 1] == ([2, 3], [2, 3])
assert seen["one file", 2] == seen["by brand", 2] == ([1, 2, 4], [1, 2, 3, 4])
END
echo "as found: pyiceberg-deletes-other-rows-than-its-filter-finds"
