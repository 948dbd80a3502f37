#!/usr/bin/env bash
# The codes of a polars Categorical are no row numbers: they depend on the other tables that the process holds.
#
# Guess beforehand: to_physical() of a column with n categories gives 0 to n-1, in order of appearance.
# Found: all Categorical columns of a process share one list. The same two items have the codes 0 and 1 in a fresh process, and 3 and 2
# while another table of three items is alive. So n_unique() is not the size of an embedding table: an item's code is out of range,
# or is another item's row. pl.Enum with the list of items gives 0 to n-1 in both cases.
# Why it matters: cast(pl.Categorical).to_physical() is the short way to item numbers. A script that still holds the training table
# numbers items otherwise than the service that reads the catalogue alone: vectors of other items, and no error.
# Output seen:
#   codes of w, z: fresh process [0, 1], beside another table [3, 2]; Enum [0, 1] and [0, 1]
# Usage: bash findings/polars-category-codes-depend-on-other-tables.sh   (installs polars==2.1.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0
env/bin/python - <<'END'
import subprocess
import sys

CODES = """
import polars as pl
column = pl.Series(["w", "z"])
print(column.cast(pl.Categorical).to_physical().to_list(), column.cast(pl.Enum(["w", "z"])).to_physical().to_list(), sep="|")
"""
OTHER = "import polars as pl\nother = pl.Series(['x', 'y', 'z']).cast(pl.Categorical)\n"


def run(code: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip().split("|")


(fresh, enum), (beside, enum_beside) = run(CODES), run(OTHER + CODES)
print(f"codes of w, z: fresh process {fresh}, beside another table {beside}; Enum {enum} and {enum_beside}")
assert fresh == "[0, 1]" and beside == "[3, 2]" and enum == enum_beside == "[0, 1]"
END
echo "as found: polars-category-codes-depend-on-other-tables"
