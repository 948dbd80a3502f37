#!/usr/bin/env bash
# pandas' to_markdown writes item 1234567 and item 1234568 both as 1.23457e+06 if all columns are numbers, and the text id "007" as 7.
#
# Guess beforehand: ids are whole numbers or text and are written as they are; only the scores are rounded.
# Found: to_markdown hands the table to tabulate as one array. Beside a column of scores, whole numbers become floats in it, and floats get
# six digits. Add one text column, and the ids are written in full. Text is no protection: a text column in which all entries look like
# numbers is written as numbers, so "007" is 7 and "12E4" is 120000. to_csv and to_string write all of it right. disable_numparse=True helps
# text ids.
# Why it matters: such tables go into prompts, model cards and result pages. Ten neighbouring ids of seven digits have one name, a hundred
# of eight digits. Items that a language model is asked to choose from cannot be told apart, and a title column more or less decides whether
# this happens.
# Output seen:
#   items 1234567 and 1234568 beside scores: ['1.23457e+06', '1.23457e+06'], beside scores and titles: ['1234567', '1234568']
#   items '007' and '12E4': ['7', '120000'], with disable_numparse ['007', '12E4']
# Usage: bash findings/pandas-markdown-table-writes-items-in-six-digits.sh   (installs pandas==3.1.1 numpy==2.3.5 tabulate==0.10.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.3.5 tabulate==0.10.0
env/bin/python - <<'END'
import pandas

numbers = pandas.DataFrame({"item": [1234567, 1234568], "score": [0.5, 0.25]})
texts = pandas.DataFrame({"item": ["007", "12E4"], "title": ["pen", "cup"]})


def cells(table: pandas.DataFrame, **settings) -> list[str]:
    lines = table.to_markdown(index=False, **settings).split("\n")[2:]
    return [line.split("|")[1].strip() for line in lines]


found = cells(numbers)
titled = cells(numbers.assign(title=["pen", "cup"]))
named = cells(texts)
kept = cells(texts, disable_numparse=True)
print(f"items 1234567 and 1234568 beside scores: {found}, beside scores and titles: {titled}")
print(f"items '007' and '12E4': {named}, with disable_numparse {kept}")
assert found == ["1.23457e+06"] * 2 and titled == ["1234567", "1234568"]
plain = numbers.to_csv(index=False), texts.to_string(index=False)
assert all(word in plain[0] for word in ("1234567", "1234568")) and "007" in plain[1] and "12E4" in plain[1]
assert named == ["7", "120000"] and kept == ["007", "12E4"]
END
echo "as found: pandas-markdown-table-writes-items-in-six-digits"
