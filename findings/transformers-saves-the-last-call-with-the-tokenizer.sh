#!/usr/bin/env bash
# A tokenizer of transformers that is saved after a call with truncation cuts and pads every text for other readers.
#
# Guess beforehand: truncation, padding and max_length are arguments of one call; what is saved is the tokenizer.
# Found: the call sets them on the underlying tokenizer and leaves them there, and save_pretrained writes them into
# tokenizer.json. After tokenizer(texts, truncation=True, max_length=3, padding="max_length"), the saved file gives three tokens for
# a text of five and for a text of one, in the tokenizers library (and in servers that read the file). transformers itself resets
# both at each call, so that the trainer of a model does not see it. Saved before the call, the file gives five and one.
# Why it matters: a trainer saves the tokenizer at the end, after batches cut to a short history. What serves the model then cuts
# histories to that length from the end, and the text of a long prompt loses its last purchases.
# Output seen:
#   saved before: [5, 1]; saved after: [3, 3]; transformers, saved after: [5, 1]
# Usage: bash findings/transformers-saves-the-last-call-with-the-tokenizer.sh   (installs transformers==5.23.0 tokenizers==0.23.3 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3 numpy==2.3.5
env/bin/python - <<'END'
import logging

logging.disable(logging.WARNING)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

words = {word: n for n, word in enumerate(["<pad>", "<unk>", *(f"w{n}" for n in range(9))])}
plain = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>")
texts = ["w1 w2 w3 w4 w5", "w1"]
tokenizer.save_pretrained("before")
tokenizer(texts, truncation=True, max_length=3, padding="max_length")
tokenizer.save_pretrained("after")
found = [[len(Tokenizer.from_file(f"{name}/tokenizer.json").encode(text).ids) for text in texts] for name in ("before", "after")]
again = [len(ids) for ids in PreTrainedTokenizerFast.from_pretrained("after")(texts)["input_ids"]]
print(f"saved before: {found[0]}; saved after: {found[1]}; transformers, saved after: {again}")
assert (found, again) == ([[5, 1], [3, 3]], [5, 1])
END
echo "as found: transformers-saves-the-last-call-with-the-tokenizer"
