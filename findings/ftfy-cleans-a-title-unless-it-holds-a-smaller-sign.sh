#!/usr/bin/env bash
# ftfy makes "Tom & Jerry" of "Tom &amp; Jerry", and leaves "Tom &amp; Jerry <3" as it is, so that one brand is spelled in two ways.
#
# Guess beforehand: the entity &amp; is read in both, or in neither.
# Found: a line that holds "<" is taken for HTML, and its entities are left alone; "I &lt;3 tea" becomes "I <3 tea", which is such a line at
# the second pass. Titles of a file that are cleaned one by one differ from those that are cleaned as one text without line ends: one title
# with "<" keeps the entities of all others. unescape_html=True reads them everywhere.
# Why it matters: cleaning is done so that equal names are equal. Here brands and titles split by whether a heart or a bold tag stands in
# the title, and a description with one tag keeps all its entities as words: "amp" becomes a frequent word.
# Output seen:
#   one by one: ['Tom & Jerry', 'Tom &amp; Jerry <3']; joined: Tea &amp; Co, Tom &amp; Jerry, Tom &amp; Jerry <3; I <3 tea; unescape_html=True: ['Tom & Jerry', 'Tom & Jerry <3']
# Usage: bash findings/ftfy-cleans-a-title-unless-it-holds-a-smaller-sign.sh   (installs ftfy==6.3.1 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check ftfy==6.3.1
env/bin/python - <<'END'
import ftfy

PAIR = ["Tom &amp; Jerry", "Tom &amp; Jerry <3"]
alone = [ftfy.fix_text(title) for title in PAIR]
joined = ftfy.fix_text(", ".join(["Tea &amp; Co", *PAIR]))
heart = ftfy.fix_text("I &lt;3 tea")
told = [ftfy.fix_text(title, unescape_html=True) for title in PAIR]
print(f"one by one: {alone}; joined: {joined}; {heart}; unescape_html=True: {told}")
assert alone == ["Tom & Jerry", "Tom &amp; Jerry <3"] and joined == "Tea &amp; Co, Tom &amp; Jerry, Tom &amp; Jerry <3"
assert heart == "I <3 tea" and told == ["Tom & Jerry", "Tom & Jerry <3"]
END
echo "as found: ftfy-cleans-a-title-unless-it-holds-a-smaller-sign"
