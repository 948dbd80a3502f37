#!/usr/bin/env bash
# A model2vec model reads 53 of 200 items of a history, although it reads up to 512 tokens and each item is one.
#
# Guess beforehand: the limit is 512 tokens, so 200 items are read whole.
# Found: before the text is cut into tokens, it is cut into 512 times as many letters as the median token of the vocabulary has. If most
# tokens have two letters, 1,024 letters are left, and long item names fill them after 53 items. The vector of 200 items is that of the
# first 53, bit for bit; the newest are never read. With max_length=None all are. Another token list for the same items, in which most names
# are long, reads all with the default.
# Why it matters: vocabularies with added codes and names of items mix short and long tokens. A user's newest items are the ones that tell
# the next one. Nothing is said, and a test with a short history passes.
# Output seen:
#   items read of 200: 53 with the default, 200 with max_length=None; with a vocabulary of long names 200; median token 2 and 18 letters
# Usage: bash findings/model2vec-cuts-a-text-by-the-length-of-the-usual-token.sh   (installs model2vec==0.10.0 tokenizers==0.23.3 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check model2vec==0.10.0 tokenizers==0.23.3 numpy==2.4.6
env/bin/python - <<'END'
import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, pre_tokenizers

rng = np.random.default_rng(0)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
short = [a + b for a in LETTERS for b in LETTERS][:600]
items = [f"kitchen-scales-{n:03d}" for n in range(200)]


def model(tokens: list[str]) -> StaticModel:
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["[UNK]", *tokens])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return StaticModel(rng.normal(size=(len(tokens) + 1, 16)).astype(np.float32), tokenizer)


def read(one: StaticModel, **settings) -> int:
    """How many of the items the vector of the whole history is made of."""
    whole = one.encode(" ".join(items), **settings)
    return next(n for n in range(1, 201) if np.allclose(one.encode(" ".join(items[:n]), max_length=None), whole, atol=1e-6))


mixed, long = model(short + items), model(short[:50] + items)
counts = read(mixed), read(mixed, max_length=None), read(long)
print(f"items read of 200: {counts[0]} with the default, {counts[1]} with max_length=None; with a vocabulary of long names {counts[2]}; median token {mixed.median_token_length} and {long.median_token_length} letters")
assert counts[0] == 53 and counts[1:] == (200, 200)
END
echo "as found: model2vec-cuts-a-text-by-the-length-of-the-usual-token"
