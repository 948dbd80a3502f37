#!/usr/bin/env bash
# python-slugify makes the same key of the shoe in size 10,5 and the one in size 105, of 1,5 kg and 15 kg, and of C++ and C#.
#
# Guess beforehand: every mark between words becomes a dash, so 10,5 is 10-5, as 10.5 is.
# Found: a comma between two digits is taken out, as one that parts thousands; a point becomes a dash. "Size 10,5" is "size-105" and "Size
# 10.5" is "size-10-5". "1,000" and "1000" are one, and so are "C++" and "C#", which become "c". Nothing says that two titles met.
# Why it matters: slugs are item keys in addresses, file names and joins between shops. In most of Europe the comma is the decimal point, so
# sizes and weights are written so: half sizes take over the key of another item, and one of the two overwrites the other.
# Output seen:
#   Shoe size 10,5 and Shoe size 105: shoe-size-105 and shoe-size-105
#   Rice 1,5 kg and Rice 15 kg: rice-15-kg and rice-15-kg
#   1,000 pens and 1000 pens: 1000-pens and 1000-pens
#   C++ and C#: c and c
#   with a point: shoe-size-10-5
# Usage: bash findings/slugify-makes-shoe-size-105-of-size-ten-and-a-half.sh   (installs python-slugify==9.2.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check python-slugify==9.2.0
env/bin/python - <<'END'
from slugify import slugify

PAIRS = [("Shoe size 10,5", "Shoe size 105"), ("Rice 1,5 kg", "Rice 15 kg"), ("1,000 pens", "1000 pens"), ("C++", "C#")]
for left, right in PAIRS:
    print(f"{left} and {right}: {slugify(left)} and {slugify(right)}")
    assert slugify(left) == slugify(right)
print(f"with a point: {slugify('Shoe size 10.5')}")
assert slugify("Shoe size 10.5") == "shoe-size-10-5"
END
echo "as found: slugify-makes-shoe-size-105-of-size-ten-and-a-half"
