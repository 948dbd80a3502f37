#!/usr/bin/env bash
# The title "=LOVE" comes back from an Excel file of pandas as missing, and as the number 0 once the package xlsxwriter is installed.
#
# Guess beforehand: to_excel writes text as text; what read_excel gives is the table that was written.
# Found: both writers make a formula of every text that begins with an equals sign. openpyxl writes no value beside it, so the cell is
# NaN; xlsxwriter writes 0. pandas takes xlsxwriter as soon as it can be imported, openpyxl otherwise, and no argument of to_excel turns
# the formula off for openpyxl. For xlsxwriter, engine_kwargs={"options": {"strings_to_formulas": False}} does. read_excel gives the same
# with openpyxl and with calamine. CSV and Parquet keep the text.
# Why it matters: catalogues go out to be checked by hand and come back as Excel files. A title, a brand or an id that begins with "=" is
# dropped as missing on one machine, and is an item named 0, shared by all of them, on the next.
# Output seen:
#   openpyxl writes, openpyxl and calamine read: [nan, nan]; xlsxwriter writes: [0, 0]; without formulas '=LOVE'; default engine xlsxwriter True
# Usage: bash findings/pandas-excel-title-with-an-equals-sign-is-missing-or-zero.sh   (installs pandas==3.1.1 openpyxl==3.1.5 xlsxwriter==3.3.1 python-calamine==0.9.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 openpyxl==3.1.5 xlsxwriter==3.3.1 python-calamine==0.9.1 numpy==2.3.5
env/bin/python - <<'END'
import pandas as pd

table = pd.DataFrame({"title": ["=LOVE", "tea"]})


def back(reader: str, **options: object) -> object:
    table.to_excel("table.xlsx", index=False, **options)
    return pd.read_excel("table.xlsx", engine=reader)["title"].tolist()[0]


readers = ("openpyxl", "calamine")
one = [back(reader, engine="openpyxl") for reader in readers]
two = [back(reader, engine="xlsxwriter") for reader in readers]
text = back("openpyxl", engine="xlsxwriter", engine_kwargs={"options": {"strings_to_formulas": False}})
default = back("openpyxl") == 0
print(f"openpyxl writes, openpyxl and calamine read: {one}; xlsxwriter writes: {two}; without formulas {text!r}; default engine xlsxwriter {default}")
assert all(pd.isna(value) for value in one) and two == [0, 0] and text == "=LOVE" and default
END
echo "as found: pandas-excel-title-with-an-equals-sign-is-missing-or-zero"
