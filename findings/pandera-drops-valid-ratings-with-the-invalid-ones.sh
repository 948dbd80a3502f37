#!/usr/bin/env bash
# pandera's drop_invalid_rows drops valid ratings that share a row label with an invalid one, and makes 4 stars of 4.9 before it checks.
#
# Guess beforehand: of four ratings with one below zero, three stay; of a repeated purchase, one stays; 4.9 is no whole number and is
# refused.
# Found: rows are dropped by their label. After two days were put together (concat), each label stands twice, and the invalid row of Monday
# takes the valid one of Tuesday with it: two of four are left. With unique=True all rows of a repeated item go, also the first. coerce=True
# cuts 4.9 to 4, which then is one of the allowed stars; the text "4.9" is refused.
# Why it matters: such a schema is the last gate before training. The more days are put together, the more valid events go with each invalid
# one, and the check reports success.
# Output seen:
#   stars 1, -1 and 2, 3: [1, 2], with new labels [1, 2, 3]; items 7, 7, 8: [8]; 4.9 and 1.2: [4, 1]
# Usage: bash findings/pandera-drops-valid-ratings-with-the-invalid-ones.sh   (installs pandera==0.35.0 pandas==3.1.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandera==0.35.0 pandas==3.1.1 numpy==2.3.5
env/bin/python - <<'END'
import pandas
import pandera.pandas as pandera

monday, tuesday = pandas.DataFrame({"stars": [1, -1]}), pandas.DataFrame({"stars": [2, 3]})
positive = pandera.DataFrameSchema({"stars": pandera.Column(int, pandera.Check.gt(0))}, drop_invalid_rows=True)
joined = positive.validate(pandas.concat([monday, tuesday]), lazy=True)["stars"].tolist()
numbered = positive.validate(pandas.concat([monday, tuesday], ignore_index=True), lazy=True)["stars"].tolist()
once = pandera.DataFrameSchema({"item": pandera.Column(int, unique=True)}, drop_invalid_rows=True)
items = once.validate(pandas.DataFrame({"item": [7, 7, 8]}), lazy=True)["item"].tolist()
allowed = pandera.DataFrameSchema({"stars": pandera.Column(int, pandera.Check.isin([1, 2, 3, 4, 5]), coerce=True)})
cut = allowed.validate(pandas.DataFrame({"stars": [4.9, 1.2]}))["stars"].tolist()
print(f"stars 1, -1 and 2, 3: {joined}, with new labels {numbered}; items 7, 7, 8: {items}; 4.9 and 1.2: {cut}")
try:
    allowed.validate(pandas.DataFrame({"stars": ["4.9"]}))
    refused = False
except pandera.errors.SchemaErrors:
    refused = True
assert joined == [1, 2] and numbered == [1, 2, 3] and items == [8] and cut == [4, 1] and refused
END
echo "as found: pandera-drops-valid-ratings-with-the-invalid-ones"
