#!/usr/bin/env bash
# class_encode_column on the splits of datasets gives brand "b" code 0 in the training rows and code 1 in the test rows.
#
# Guess beforehand: one call on a DatasetDict makes one coding for all of its splits.
# Found: each split is coded by itself, in the order of its own sorted values. The training split knows b and c (0 and 1), the test split
# a, b and c (0, 1 and 2). The codes are written into the rows, and the names that tell them apart stand only in the features of each split.
# Putting the splits together afterwards is refused; training on one and testing on the other is not.
# Why it matters: brands, categories and users are coded so before an embedding is trained. A test split that holds one value more, or one
# less, moves all codes behind it: the model is asked about other brands than those it learned. Code before splitting, or cast_column every
# split to one ClassLabel(names=...).
# Output seen:
#   train ['b', 'c', 'b'] -> [0, 1, 0], test ['a', 'c', 'b'] -> [0, 2, 1]
#   cast to one ClassLabel: train [1, 2, 1], test [0, 2, 1]
# Usage: bash findings/datasets-class-encode-column-gives-a-brand-another-code-in-the-test-split.sh   (installs datasets==5.2.0 numpy==2.3.5 pyarrow==25.0.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check datasets==5.2.0 numpy==2.3.5 pyarrow==25.0.1
HF_HOME="$work/cache" env/bin/python - <<'END'
import datasets

datasets.disable_progress_bars()
brands = {"train": ["b", "c", "b"], "test": ["a", "c", "b"]}
splits = datasets.DatasetDict({name: datasets.Dataset.from_dict({"brand": values}) for name, values in brands.items()})


def codes(coded: datasets.DatasetDict) -> dict[str, list[int]]:
    return {name: list(split["brand"]) for name, split in coded.items()}


each = codes(splits.class_encode_column("brand"))
shared = codes(splits.cast_column("brand", datasets.ClassLabel(names=["a", "b", "c"])))
print(", ".join(f"{name} {brands[name]} -> {each[name]}" for name in brands))
print("cast to one ClassLabel: " + ", ".join(f"{name} {shared[name]}" for name in brands))
assert each == {"train": [0, 1, 0], "test": [0, 2, 1]} and shared == {"train": [1, 2, 1], "test": [0, 2, 1]}
END
echo "as found: datasets-class-encode-column-gives-a-brand-another-code-in-the-test-split"
