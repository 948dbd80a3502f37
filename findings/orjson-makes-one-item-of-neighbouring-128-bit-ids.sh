#!/usr/bin/env bash
# orjson reads the item ids 2^64 and 2^64 + 1 as one number, and json, ujson, msgspec and pydantic read them as two.
#
# Guess beforehand: a whole number in JSON is a whole number in Python, as long as it may be; or the reader refuses what it cannot hold.
# Found: orjson reads up to 64 bits as int, and what is longer as float, without a word. Of 1,000 ids of 128 bits that share their upper
# half (uuid7-like keys, or user << 64 | item) one is left. dumps of the same library refuses such an int, so that the trouble comes with
# files that others wrote. The keys of an object stay text and are right.
# Why it matters: orjson is put in for json to be faster, in services and in readers of logs. Ids of UUIDs and packed pairs pass each test
# that looks at one of them, and items then share events, scores and rows.
# Output seen:
#   distinct ids of 1000: json 1000, ujson 1000, msgspec 1000, pydantic 1000, orjson 1 (float); orjson.dumps refuses True
# Usage: bash findings/orjson-makes-one-item-of-neighbouring-128-bit-ids.sh   (installs orjson==3.13.0 ujson==6.1.0 msgspec==0.23.0 pydantic==2.14.4 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check orjson==3.13.0 ujson==6.1.0 msgspec==0.23.0 pydantic==2.14.4
env/bin/python - <<'END'
import json

import msgspec
import orjson
import pydantic
import ujson

text = json.dumps([(7 << 64) + item for item in range(1000)])
readers = {
    "json": json.loads,
    "ujson": ujson.loads,
    "msgspec": lambda text: msgspec.json.decode(text),
    "pydantic": pydantic.TypeAdapter(list).validate_json,
    "orjson": orjson.loads,
}
read = {name: reader(text) for name, reader in readers.items()}
refuses = False
try:
    orjson.dumps(7 << 64)
except TypeError:
    refuses = True
kind = type(read["orjson"][0]).__name__
print("distinct ids of 1000:", ", ".join(f"{name} {len(set(ids))}" for name, ids in read.items()) + f" ({kind}); orjson.dumps refuses {refuses}")
assert {name: len(set(ids)) for name, ids in read.items()} == {"json": 1000, "ujson": 1000, "msgspec": 1000, "pydantic": 1000, "orjson": 1}
assert kind == "float" and refuses
END
echo "as found: orjson-makes-one-item-of-neighbouring-128-bit-ids"
