#!/usr/bin/env bash
# A field that the first items lack is dropped without a word when a catalogue is made from dictionaries.
#
# Guess beforehand: the columns are the union of all keys, with nulls where an item has none, as in pandas.
# Found: pyarrow.Table.from_pylist and datasets.Dataset.from_list look at the first dictionary only. polars.from_dicts looks
# at the first 100. All later keys vanish: no error, no warning. pandas keeps the column.
# Why it matters: catalogues name a brand or a price only where there is one. If the first product has no brand, no product has.
# Output seen:
#   pyarrow ['item', 'title']
#   datasets ['item', 'title']
#   polars ['item', 'title']
#   pandas ['item', 'title', 'brand']
# Usage: bash findings/tables-from-dicts-lose-late-fields.sh   (installs pyarrow==26.0.1 polars==2.1.0 datasets==5.2.0 pandas==3.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 polars==2.1.0 datasets==5.2.0 pandas==3.0.1
env/bin/python - <<'END'
import datasets, pandas, polars, pyarrow

items = [{"item": str(n), "title": "soap"} for n in range(150)] + [{"item": "150", "title": "comb", "brand": "Acme"}]
found = {
    "pyarrow": pyarrow.Table.from_pylist(items).column_names,
    "datasets": datasets.Dataset.from_list(items).column_names,
    "polars": polars.from_dicts(items).columns,
    "pandas": list(pandas.DataFrame(items).columns),
}
for name, columns in found.items():
    print(name, columns)
assert all(found[name] == ["item", "title"] for name in ("pyarrow", "datasets", "polars"))
assert found["pandas"] == ["item", "title", "brand"]
END
echo "as found: tables-from-dicts-lose-late-fields"
