#!/usr/bin/env bash
# One Delta table has one item without a brand for polars, and two for deltalake, which counts as polars does when it deletes.
#
# Guess beforehand: a column holds the same values whether the table is partitioned by it or not, and for whoever reads it.
# Found: items with the brands "acme", "" and none. Partitioned by brand, deltalake's to_pyarrow_table returns none for the empty text;
# polars reads "", and deltalake's delete("brand = ''") finds the row, which its reader does not show. Not partitioned, all three agree.
# Why it matters: "" (no brand) and a missing brand (not known) are two classes of a feature, and the key of a group. Training in one
# reader and serving in the other gives the item another class, and a clean-up deletes rows that the count before did not list.
# Output seen:
#   partitioned: deltalake ['acme', None, None], polars ['acme', '', None]; deleted by brand = '': 1
#   not partitioned: deltalake ['acme', '', None], polars ['acme', '', None]; deleted by brand = '': 1
# Usage: bash findings/deltalake-reads-an-empty-brand-as-missing.sh   (installs deltalake==1.6.6 polars==2.1.0 pyarrow==26.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check deltalake==1.6.6 polars==2.1.0 pyarrow==26.0.1
env/bin/python - <<'END'
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

items = pa.table({"item": ["a", "b", "c"], "brand": ["acme", "", None]})


def brands(folder: str, partition_by: list[str] | None) -> tuple[list, list, int]:
    write_deltalake(folder, items, partition_by=partition_by)
    own = DeltaTable(folder).to_pyarrow_table().sort_by("item")["brand"].to_pylist()
    other = pl.read_delta(folder).sort("item")["brand"].to_list()
    return own, other, DeltaTable(folder).delete("brand = ''")["num_deleted_rows"]


parts, whole = brands("parts", ["brand"]), brands("whole", None)
for title, (own, other, deleted) in (("partitioned", parts), ("not partitioned", whole)):
    print(f"{title}: deltalake {own}, polars {other}; deleted by brand = '': {deleted}")
assert parts == (["acme", None, None], ["acme", "", None], 1)
assert whole == (["acme", "", None], ["acme", "", None], 1)
END
echo "as found: deltalake-reads-an-empty-brand-as-missing"
