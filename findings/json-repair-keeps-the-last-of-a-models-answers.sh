#!/usr/bin/env bash
# json_repair reads three answers of a model, one JSON object a line, as the last one only, and as a list of all if their fields differ.
#
# Guess beforehand: text that is one object a line gives a list of all objects, or the first.
# Found: '{"item": 5}' and '{"item": 6}' on two lines give {'item': 6}. With other field names, '{"item": 5}' and '{"other": 6}', both are
# there. Of lists only the last stays as well: '["B1"] or ["B2"]' is ['B2']. An answer that was cut in the middle of an item is complete:
# '["B001", "B00' holds the item "B00". Whole numbers are cut with no trace: 1234 becomes 12.
# Why it matters: the package repairs what language models write, and models write JSON lines and second thoughts. A list of ten
# recommendations is one, recall at 10 falls to that of the last place, and cut ids may be real items.
# Output seen:
#   three lines: {'item': 7}; two with other fields: [{'item': 5}, {'other': 6}]; two lists: ['B2']; cut: (['B001', 'B00'], {'items': [56, 12]})
# Usage: bash findings/json-repair-keeps-the-last-of-a-models-answers.sh   (installs json-repair==0.64.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check json-repair==0.64.6
env/bin/python - <<'END'
import json_repair

lines = json_repair.loads('{"item": 5}\n{"item": 6}\n{"item": 7}')
others = json_repair.loads('{"item": 5}\n{"other": 6}')
lists = json_repair.loads('["B1"] or ["B2"]')
cut = json_repair.loads('["B001", "B00'), json_repair.loads('{"items": [56, 12')
print(f"three lines: {lines}; two with other fields: {others}; two lists: {lists}; cut: {cut}")
assert lines == {"item": 7} and others == [{"item": 5}, {"other": 6}] and lists == ["B2"]
assert cut == (["B001", "B00"], {"items": [56, 12]})
END
echo "as found: json-repair-keeps-the-last-of-a-models-answers"
