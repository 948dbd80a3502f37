#!/usr/bin/env bash
# pandas.read_json turns the JSON text "0000031852" into the number 31852, in some chunks of a file and not in others.
#
# Guess beforehand: JSON says what is text and what is a number, so a quoted id stays text.
# Found: read_json tries to make numbers of every column. A chunk whose ids are all digits becomes int64 without leading zeros;
# a chunk with one letter keeps text. So the same book is 13714 in one chunk and '0000013714' in the next, and a
# count over the chunks has two books. polars and pyarrow keep the text. dtype=False (or a type for the column) does, too.
# Why it matters: product ids of large public logs are ten characters, of which books have digits only; logs are read in chunks.
# Output seen:
#   chunks: [31852, 13714], ['B000FA64PK', '0000013714']; polars ['0000031852', '0000013714', 'B000FA64PK', '0000013714']
#   books counted over the chunks: {31852: 1, 13714: 1, 'B000FA64PK': 1, '0000013714': 1}
# Usage: bash findings/pandas-json-chunks-rename-items.sh   (installs pandas==3.0.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pandas==3.0.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.3.5
env/bin/python - <<'END'
import collections
import json

import pandas, polars, pyarrow.json

ids = ["0000031852", "0000013714", "B000FA64PK", "0000013714"]
with open("log.jsonl", "w") as file:
    file.writelines(json.dumps({"item": item, "user": n}) + "\n" for n, item in enumerate(ids))
chunks = [chunk["item"].tolist() for chunk in pandas.read_json("log.jsonl", lines=True, chunksize=2)]
whole = polars.read_ndjson("log.jsonl")["item"].to_list()
counts = dict(collections.Counter(item for chunk in chunks for item in chunk))
print(f"chunks: {chunks[0]}, {chunks[1]}; polars {whole}")
print(f"books counted over the chunks: {counts}")
assert chunks == [[31852, 13714], ["B000FA64PK", "0000013714"]]
assert whole == ids == pyarrow.json.read_json("log.jsonl")["item"].to_pylist()
assert pandas.read_json("log.jsonl", lines=True, dtype=False)["item"].tolist() == ids
assert [c["item"].tolist() for c in pandas.read_json("log.jsonl", lines=True, chunksize=2, dtype=False)] == [ids[:2], ids[2:]]
END
echo "as found: pandas-json-chunks-rename-items"
