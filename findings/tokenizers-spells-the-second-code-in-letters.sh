#!/usr/bin/env bash
# Added tokens <a_1> and <b_2>: the text <a_1><b_2> becomes the first token and five letters.
#
# Guess beforehand: an added token is found wherever its text stands, and <a_1><b_2> is two tokens.
# Found: with the normalizer of Llama 2's kind (put "▁" in front, make "▁" of spaces), add_tokens normalizes each token's own text, too, so it is
# looked for as "▁<a_1>". That is found at the start of a text and after a space, and nowhere else: the second code of an ID is spelled in
# letters, and so is the first one behind a comma. Decoding gives the text back, so a round trip shows nothing.
# AddedToken(..., normalized=False) finds both; so do special tokens.
# Why it matters: semantic IDs are added tokens without spaces between them. Of each ID, only the first code has its new row;
# the others train letters, sequences are longer, and a decoder that allows code tokens generates what training never showed.
# Output seen:
#   <a_1><b_2>: ['▁<a_1>', '<', 'b', '_', '2', '>'], decoded <a_1><b_2>; not normalized: ['<a_1>', '<b_2>']
# Usage: bash findings/tokenizers-spells-the-second-code-in-letters.sh   (installs tokenizers==0.23.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
env/bin/python - <<'END'
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

START = ["<unk>", "▁", *"<>_ab12"]


def codes(**options: bool) -> tuple[list[str], str]:
    tokenizer = Tokenizer(models.BPE({token: place for place, token in enumerate(START)}, [], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    names = ["<a_1>", "<b_2>"]
    tokenizer.add_tokens([AddedToken(name, **options) for name in names] if options else names)
    found = tokenizer.encode("<a_1><b_2>")
    return found.tokens, tokenizer.decode(found.ids)


(spelled, text), (whole, _) = codes(), codes(normalized=False)
print(f"<a_1><b_2>: {spelled}, decoded {text}; not normalized: {whole}")
assert len(spelled) == 6 and spelled[1:] == list("<b_2>") and text == "<a_1><b_2>" and len(whole) == 2
END
echo "as found: tokenizers-spells-the-second-code-in-letters"
