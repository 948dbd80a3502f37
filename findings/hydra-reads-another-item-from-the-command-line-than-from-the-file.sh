#!/usr/bin/env bash
# item=007 is the text "007" on Hydra's command line and the number 7 in its file, and for "nan", "on" and "1:30" file and command line
# differ too.
#
# Guess beforehand: a setting means the same in the file and as an override, as both end in one OmegaConf configuration.
# Found: the command line has a grammar of its own. 007 is text there and 7 in YAML. "nan" is a missing number there and text in YAML. "on"
# and "1:30" are text there, and True and 90 in YAML. OmegaConf.from_dotlist, the other way to read item=007, follows YAML: 7. All three
# read 12E4 as 120000.0 and 12_34 as 1234.
# Why it matters: item ids, users, codes and brands are given so, and a run is repeated by copying the override into the file. The same
# words then name another item, and items that look like numbers are right in one way only.
# Output seen:
#   007: command line '007', file 7, dotlist 7
#   nan: command line nan, file 'nan', dotlist 'nan'
#   on: command line 'on', file True, dotlist True
#   1:30: command line '1:30', file 90, dotlist 90
#   12E4: command line 120000.0, file 120000.0, dotlist 120000.0
#   12_34: command line 1234, file 1234, dotlist 1234
# Usage: bash findings/hydra-reads-another-item-from-the-command-line-than-from-the-file.sh   (installs hydra-core==1.3.8 omegaconf==2.3.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check hydra-core==1.3.8 omegaconf==2.3.1
env/bin/python - <<'END'
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

Path("config.yaml").write_text("item: null\n")
found = {}
with initialize_config_dir(str(Path.cwd()), version_base=None):
    for text in ("007", "nan", "on", "1:30", "12E4", "12_34"):
        line = compose("config", overrides=[f"item={text}"]).item
        file = OmegaConf.create(f"item: {text}").item
        dots = OmegaConf.from_dotlist([f"item={text}"]).item
        found[text] = tuple(repr(value) for value in (line, file, dots))
        print(f"{text}: command line {line!r}, file {file!r}, dotlist {dots!r}")
assert found["007"] == ("'007'", "7", "7") and found["nan"] == ("nan", "'nan'", "'nan'")
assert found["on"] == ("'on'", "True", "True") and found["1:30"] == ("'1:30'", "90", "90")
assert found["12E4"] == ("120000.0",) * 3 and found["12_34"] == ("1234",) * 3
END
echo "as found: hydra-reads-another-item-from-the-command-line-than-from-the-file"
