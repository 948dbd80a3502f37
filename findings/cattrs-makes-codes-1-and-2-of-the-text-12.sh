#!/usr/bin/env bash
# cattrs reads the codes "12" as the codes 1 and 2, stock "False" as True, 4.9 stars as 4 and the tag "red" as the tags r, e and d.
#
# Guess beforehand: a value of another type is refused, or read as JSON readers do.
# Found: cattrs calls the type on the value: list over the letters of a text, bool on a text that is not empty, int on a float. A dictionary
# given for a list becomes its keys. Nothing is refused. msgspec refuses each of them; pydantic refuses the list, the 4.9 and the tags, and
# reads "False" as False.
# Why it matters: items come from CSV files and forms, where all is text. An ID of one code "12" becomes a valid ID of two codes of another
# item, everything is in stock, and the classes with their type hints look as if they had been checked.
# Output seen:
#   cattrs: codes [1, 2], stock True, stars 4, tags ['d', 'e', 'r']; codes of a dictionary [7, 8]
#   refused: {'msgspec': ['codes', 'stock', 'stars', 'tags'], 'pydantic': ['codes', 'stars', 'tags']}; stock for pydantic: False
# Usage: bash findings/cattrs-makes-codes-1-and-2-of-the-text-12.sh   (installs cattrs==26.2.1 msgspec==0.23.0 pydantic==2.14.4 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check cattrs==26.2.1 msgspec==0.23.0 pydantic==2.14.4
env/bin/python - <<'END'
from dataclasses import dataclass

import cattrs
import msgspec
import pydantic


@dataclass
class Item:
    codes: list[int]
    stock: bool
    stars: int
    tags: set[str]


RIGHT = {"codes": [12], "stock": False, "stars": 4, "tags": ["red"]}
WRONG = {"codes": "12", "stock": "False", "stars": 4.9, "tags": "red"}
item = cattrs.structure(WRONG, Item)
keys = cattrs.structure(RIGHT | {"codes": {"7": 0.5, "8": 0.1}}, Item).codes
refused = {"msgspec": [], "pydantic": []}
for field, value in WRONG.items():
    for name, read in (("msgspec", lambda one: msgspec.convert(one, Item)), ("pydantic", pydantic.TypeAdapter(Item).validate_python)):
        try:
            read(RIGHT | {field: value})
        except ValueError:
            refused[name].append(field)
stock = pydantic.TypeAdapter(Item).validate_python(RIGHT | {"stock": "False"}).stock
print(f"cattrs: codes {item.codes}, stock {item.stock}, stars {item.stars}, tags {sorted(item.tags)}; codes of a dictionary {keys}")
print(f"refused: {refused}; stock for pydantic: {stock}")
assert item == Item([1, 2], True, 4, {"r", "e", "d"}) and keys == [7, 8] and stock is False
assert refused == {"msgspec": ["codes", "stock", "stars", "tags"], "pydantic": ["codes", "stars", "tags"]}
END
echo "as found: cattrs-makes-codes-1-and-2-of-the-text-12"
