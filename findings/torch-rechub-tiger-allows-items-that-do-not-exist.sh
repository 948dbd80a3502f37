#!/usr/bin/env bash
# The prefix function that torch-rechub gives to TIGER's beam search allows code sequences that are no item.
#
# Guess beforehand: a "prefix allowed tokens" function follows the items' codes as a tree.
# Found: it keeps one set of codes a *level*, whatever was chosen before. With the items <a_1><b_1> and <a_2><b_2>, the code
# <b_2> is allowed after <a_1>. (The same file has a tree class that would not allow it; this method does not use it.)
# Why it matters: with three levels of 256 codes and 10,000 items, nearly all sequences that it allows are no item; beams are
# spent on them, and an evaluation that drops them afterwards measures shorter lists.
# Output seen:
#   allowed after <a_1>: ['<b_1>', '<b_2>']; items: ['<a_1><b_1>', '<a_2><b_2>']
# Usage: bash findings/torch-rechub-tiger-allows-items-that-do-not-exist.sh   (installs torch-rechub==0.9.0 pandas==2.2.3 numpy==2.3.5 torch==2.13.0 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch-rechub==0.9.0 pandas==2.2.3 numpy==2.3.5 torch==2.13.0
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import torch
from torch_rechub.utils.data import TigerSeqDataset

names = ["<pad>", "</s>", "<a_1>", "<a_2>", "<b_1>", "<b_2>"]


class Tokenizer:
    eos_token_id = 1

    def __call__(self, text):
        return {"input_ids": [names.index(text), 1]}


codes = {"0": ["<a_1>", "<b_1>"], "1": ["<a_2>", "<b_2>"]}
data = TigerSeqDataset({"ann": [0, 1, 0, 1]}, codes, max_his_len=20, mode="test")
allowed = data.get_prefix_allowed_tokens_fn(Tokenizer())(0, torch.tensor([0, names.index("<a_1>")]))
found = sorted(names[token] for token in allowed)
print(f"allowed after <a_1>: {found}; items: {sorted(data.get_all_items())}")
assert found == ["<b_1>", "<b_2>"] and "<a_1><b_2>" not in data.get_all_items()
END
echo "as found: torch-rechub-tiger-allows-items-that-do-not-exist"
