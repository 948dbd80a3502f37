#!/usr/bin/env bash
# rouge-score gives the semantic ID of another item 0.75, "C#" for "C++" 1.0, and a perfect title in Russian or Chinese 0.0.
#
# Guess beforehand: a text compared with itself has the score 1.0 in every script.
# Found: all letters but a to z and the digits are taken for spaces. "Война и мир" has no word, and a text without a word scores 0. "Crème"
# is "cr me", as "Créme" is, so the two are equal, while "Émile" and "Emile" share nothing. "C++" and "C#" are both "c", "12.5" is "12 5".
# <a_1><b_2> is four words, of which <a_1><b_3> has three in order.
# Why it matters: generated titles, explanations and semantic IDs are measured so. The mean over a catalogue says how much of it is written
# in plain Latin letters, and IDs of wrong items score high.
# Output seen:
#   Война и мир and Война и мир: 0.0
#   三体 and 三体: 0.0
#   C++ and C#: 1.0
#   Crème and Créme: 1.0
#   Émile and Emile: 0.0
#   12.5 and 12 5: 1.0
#   <a_1><b_2> and <a_1><b_3>: 0.75
# Usage: bash findings/rouge-gives-three-quarters-to-the-semantic-id-of-another-item.sh   (installs rouge-score==0.1.2 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check rouge-score==0.1.2
env/bin/python - <<'END'
from rouge_score.rouge_scorer import RougeScorer

PAIRS = [
    ("Война и мир", "Война и мир"),
    ("三体", "三体"),
    ("C++", "C#"),
    ("Crème", "Créme"),
    ("Émile", "Emile"),
    ("12.5", "12 5"),
    ("<a_1><b_2>", "<a_1><b_3>"),
]
scorer = RougeScorer(["rougeL"])
found = [float(scorer.score(target, made)["rougeL"].fmeasure) for target, made in PAIRS]
for (target, made), value in zip(PAIRS, found, strict=True):
    print(f"{target} and {made}: {value}")
assert found == [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.75]
END
echo "as found: rouge-gives-three-quarters-to-the-semantic-id-of-another-item"
