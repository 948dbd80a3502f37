#!/usr/bin/env bash
# webdataset reads two items that it wrote itself as one, if their keys hold a point; and item id "007" comes back as 7.
#
# Guess beforehand: what TarWriter writes, WebDataset reads: the same keys, the same fields, the same values.
# Found: the reader takes the key up to the first point. "B00.1" and "B00.2" follow each other, have the same key "B00" for it, and become one
# sample with the fields "1.json" and "2.json"; the field "json" is missing. decode() makes whole numbers of the fields id, cls, index
# and inx, so text ids lose their zeros. The writer takes both without a word. Every other item is right.
# Why it matters: ids with points (versions, prices, "category.number") are common. A thousand items in one category become one
# sample, an epoch has fewer rows than the table, and ids no longer find their items.
# Output seen:
#   written 4 items, read 2 samples: keys ['B00', 'C'], fields of the first ['1.id', '1.json', '2.id', '2.json', '3.id', '3.json']
#   id written '007', read 7
# Usage: bash findings/webdataset-reads-two-items-as-one.sh   (installs webdataset==1.0.2 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check webdataset==1.0.2 numpy==2.3.5
env/bin/python - <<'END'
import webdataset

ITEMS = {"B00.1": "005", "B00.2": "006", "B00.3": "008", "C": "007"}
with webdataset.TarWriter("items.tar") as writer:
    for key, number in ITEMS.items():
        writer.write({"__key__": key, "json": {"title": key}, "id": number})
samples = list(webdataset.WebDataset("items.tar", shardshuffle=False).decode())
keys = [one["__key__"] for one in samples]
fields = sorted(name for name in samples[0] if not name.startswith("__"))
print(f"written {len(ITEMS)} items, read {len(samples)} samples: keys {keys}, fields of the first {fields}")
number = samples[-1]["id"]
print(f"id written {ITEMS['C']!r}, read {number!r}")
assert keys == ["B00", "C"] and fields == ["1.id", "1.json", "2.id", "2.json", "3.id", "3.json"]
assert number == 7
END
echo "as found: webdataset-reads-two-items-as-one"
