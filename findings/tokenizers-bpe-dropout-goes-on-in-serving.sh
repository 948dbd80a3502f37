#!/usr/bin/env bash
# A tokenizer that was trained with BPE dropout spells the same title in more than ten ways in 200 calls after it was saved and loaded.
#
# Guess beforehand: dropout is for training: it is off when the tokenizer is saved, or when a model is in eval mode.
# Found: tokenizers knows no such modes. BPE(dropout=0.1) is written into tokenizer.json, and every reader of the file drops one merge in
# ten at each call, for ever, without a seed. encode gives other ids for the same text, also for the text that stands in a prompt and in a
# list of allowed texts. decode gives the same text, so that a check of what comes back passes. model.dropout = None turns it off.
# Why it matters: dropout makes small language models read titles better, and the file that is saved is the one that serves. Scores,
# caches by token and tries of allowed titles then change from call to call, with all seeds set.
# Output seen:
#   dropout in the saved file 0.1; spellings of one title in 200 calls: more than 10, and 1 after dropout = None; decoded texts 1
# Usage: bash findings/tokenizers-bpe-dropout-goes-on-in-serving.sh   (installs tokenizers==0.23.3 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
env/bin/python - <<'END'
import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import BPEDecoder

tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", dropout=0.1, end_of_word_suffix="_"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer.decoder = BPEDecoder(suffix="_")
trainer = trainers.BpeTrainer(vocab_size=100, special_tokens=["[UNK]"], end_of_word_suffix="_", show_progress=False)
tokenizer.train_from_iterator(["lavender shampoo conditioner"] * 20, trainer)
tokenizer.save("tokenizer.json")
with open("tokenizer.json") as file:
    saved = json.load(file)["model"]["dropout"]
served = Tokenizer.from_file("tokenizer.json")


def spellings() -> set[tuple[int, ...]]:
    return {tuple(served.encode("lavender shampoo conditioner").ids) for _ in range(200)}


many = spellings()
texts = {served.decode(list(ids)) for ids in many}
served.model.dropout = None
one = spellings()
print(f"dropout in the saved file {round(saved, 2)}; spellings of one title in 200 calls: {'more than 10' if len(many) > 10 else len(many)}, and {len(one)} after dropout = None; decoded texts {len(texts)}")
assert len(many) > 10 and len(one) == len(texts) == 1 and abs(saved - 0.1) < 1e-6
END
echo "as found: tokenizers-bpe-dropout-goes-on-in-serving"
