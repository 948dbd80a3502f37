#!/usr/bin/env bash
# datasets.map returns yesterday's result after the function in its module was edited.
#
# Guess beforehand: the cache is keyed by the code of the function; another code, another result.
# Found: a function that is imported from a module is known by its name only. After the file was edited, map reads the old cache: a
# new process returns values of the old code, and the function is not called. The same function in the main script is known by its
# code, and is called again. load_from_cache_file=False calls it.
# Why it matters: tokenizers, templates of prompts and item codes live in modules of a project, and map is what applies them. A
# change of the template "has no effect" on the loss, or a mended fault stays in the data, until someone deletes the cache.
# Output seen:
#   from a module: [101, 102], after the edit [101, 102], without the cache [201, 202]
#   in the main script: [101, 102], after the edit [201, 202]
# Usage: bash findings/datasets-map-does-not-see-an-edited-module.sh   (installs datasets==5.2.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check datasets==5.2.0 numpy==2.4.6
env/bin/python - <<'END'
import os
import subprocess
import sys
from pathlib import Path

from datasets import Dataset, disable_progress_bars

disable_progress_bars()
Dataset.from_dict({"item": [1, 2]}).save_to_disk("table")
FUNCTION = "def encode(row):\n    return {'code': row['item'] + OFFSET}\n"
START = "import datasets\ndatasets.disable_progress_bars()\n"
END = "print(datasets.load_from_disk('table').map(encode, load_from_cache_file=CACHE)['code'][:])\n"


def run(script: str) -> str:
    Path("script.py").write_text(script)
    told = subprocess.run([sys.executable, "-B", "script.py"], check=True, capture_output=True, text=True, env=os.environ)
    return told.stdout.strip()


def module(offset: int, cache: bool = True) -> str:
    Path("codes.py").write_text(FUNCTION.replace("OFFSET", str(offset)))
    return run(START + "from codes import encode\n" + END.replace("CACHE", str(cache)))


def main(offset: int) -> str:
    return run(START + FUNCTION.replace("OFFSET", str(offset)) + END.replace("CACHE", "True"))


first, edited, without = module(100), module(200), module(200, cache=False)
own, own_edited = main(100), main(200)
print(f"from a module: {first}, after the edit {edited}, without the cache {without}")
print(f"in the main script: {own}, after the edit {own_edited}")
assert first == edited == own == "[101, 102]" and without == own_edited == "[201, 202]"
END
echo "as found: datasets-map-does-not-see-an-edited-module"
