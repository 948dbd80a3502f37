#!/usr/bin/env bash
# The added tokens <A_1> and <a_1> have two ids in the vocabulary, and one in every text, if the tokenizer makes letters small.
#
# Guess beforehand: an added token is matched as it is written; or add_tokens says that the two are one and adds one only.
# Found: added tokens that are not "special" are made small before they are matched, as the text is, if the normalizer does that (all
# "uncased" models). add_tokens reports 2 new tokens and both names have an id, but both texts get the same one; the other id never
# occurs. add_tokens(..., special_tokens=True) and AddedToken(normalized=False) keep them apart.
# Why it matters: levels are told apart by letters (A to H, a to h), and codes of 64 by base64. Two levels then share their tokens, the
# items' IDs collide, and the rows of the other ids in the embedding table stay untrained.
# Output seen:
#   added 2; ids of the names differ; ids in a text: plain the same, special differ, normalized=False differ
# Usage: bash findings/tokenizers-lowercase-makes-two-added-codes-one.sh   (installs transformers==5.23.0 tokenizers==0.23.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3
env/bin/python - <<'END'
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

CODES = ["<A_1>", "<a_1>"]


def ids(tokens: list, **settings) -> tuple[int, bool, bool]:
    """How many tokens were added, whether their names have two ids, and whether their texts have."""
    plain = Tokenizer(models.WordLevel({"[UNK]": 0, "soap": 1}, unk_token="[UNK]"))
    plain.pre_tokenizer, plain.normalizer = pre_tokenizers.Whitespace(), normalizers.Lowercase()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]")
    added = tokenizer.add_tokens(tokens, **settings)
    names, texts = tokenizer.convert_tokens_to_ids(CODES), tokenizer("soap <A_1> <a_1>", add_special_tokens=False)["input_ids"][1:]
    assert len(texts) == 2 and 0 not in texts
    return added, names[0] != names[1], texts[0] != texts[1]


plain = ids(CODES)
special = ids(CODES, special_tokens=True)
exact = ids([AddedToken(code, normalized=False) for code in CODES])
word = {True: "differ", False: "the same"}
print(f"added {plain[0]}; ids of the names {word[plain[1]]}; ids in a text: plain {word[plain[2]]}, special {word[special[2]]}, normalized=False {word[exact[2]]}")
assert plain == (2, True, False)
assert special == exact == (2, True, True)
END
echo "as found: tokenizers-lowercase-makes-two-added-codes-one"
