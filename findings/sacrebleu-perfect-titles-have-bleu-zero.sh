#!/usr/bin/env bash
# sacrebleu gives BLEU 0 to a model that writes every title right, if titles have three words.
#
# Guess beforehand: a text that equals its reference has BLEU 100, as it has from sentence_bleu of the same package.
# Found: BLEU multiplies the shares of right parts of one to four words over the whole set. Where no text has four words, the fourth
# share has no case and the product becomes 0, without a warning. One text of four words is the only case for that share then: of 100
# right titles, 99 have three words; with one wrong word in the long one BLEU falls to 84, and with 50 titles fully right to 0.
# effective_order=True (the default of sentence_bleu, but not of corpus_bleu) leaves the empty share out; chrF has no such trouble.
# Why it matters: titles, brands and reasons that a recommender writes are short, and BLEU is reported for them. The figure is 0 for the
# best and the worst model, or hangs on the one long title of the test set.
# Output seen:
#   all right, three words each: BLEU 0.0, effective order 100.0, one by one 100.0, chrF 100.0
#   99 right of three words and one of four: right 100.0, with one wrong word 83.7, effective order 83.7; half wrong, all of three 0.0
# Usage: bash findings/sacrebleu-perfect-titles-have-bleu-zero.sh   (installs sacrebleu==2.6.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check sacrebleu==2.6.0
env/bin/python - <<'END'
from sacrebleu.metrics import BLEU, CHRF

short = [f"soap {n} blue" for n in range(99)]
long = "comb set of four"


def bleu(texts: list[str], right: list[str], **settings) -> float:
    return round(BLEU(**settings).corpus_score(texts, [right]).score, 1)


all_right = bleu(short, short), bleu(short, short, effective_order=True)
single = round(min(BLEU(effective_order=True).sentence_score(text, [text]).score for text in short), 1)
chrf = round(CHRF().corpus_score(short, [short]).score, 1)
print(f"all right, three words each: BLEU {all_right[0]}, effective order {all_right[1]}, one by one {single}, chrF {chrf}")
right = bleu([*short, long], [*short, long])
wrong = bleu([*short, "comb set of five"], [*short, long])
wrong_too = bleu([*short, "comb set of five"], [*short, long], effective_order=True)
half = bleu(short[:50] + ["no such thing"] * 49, short)
print(f"99 right of three words and one of four: right {right}, with one wrong word {wrong}, effective order {wrong_too}; half wrong, all of three {half}")
assert all_right == (0.0, 100.0) and single == chrf == right == 100.0
assert wrong == wrong_too < 90 and half == 0.0
END
echo "as found: sacrebleu-perfect-titles-have-bleu-zero"
