#!/usr/bin/env bash
# transformers' beam search returns an item three times when fewer items are legal than there are beams.
#
# Guess beforehand: with prefix_allowed_tokens_fn and two legal items, four beams give two sequences, or fill up with padding,
# or it raises.
# Found: generate returns four sequences: one item once, the other three times. Beams 2 to 4 begin as copies of beam 1 with a score of
# -1e9, which is meant to lose always; a legal copy still beats an illegal sequence of -inf, so copies come back at the end.
# sequences_scores of about -3e8 is the only sign of it.
# Why it matters: cold catalogues, filters ("in stock, not bought yet") and small categories leave fewer items than beams. Lists
# then hold repeats, and metrics that count repeats, or lists cut to k, change without a word.
# Output seen:
#   returned items: ['comb', 'comb', 'comb', 'soap'], of them with a score below -1e8: 2
# Usage: bash findings/transformers-beams-repeat-when-few-items-are-legal.sh   (installs transformers==5.23.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
model = LlamaForCausalLM(LlamaConfig(vocab_size=50, pad_token_id=0, eos_token_id=1, bos_token_id=2, **shape)).eval()
items = {(10, 20): "soap", (11, 21): "comb"}
prompt = torch.tensor([[2, 5, 6]])


def legal(row, tokens):
    done = tuple(tokens[prompt.shape[1] :].tolist())
    return sorted({(*codes, 1)[len(done)] for codes in items if codes[: len(done)] == done}) or [0]


out = model.generate(
    prompt,
    attention_mask=torch.ones_like(prompt),
    prefix_allowed_tokens_fn=legal,
    num_beams=4,
    num_return_sequences=4,
    max_new_tokens=3,
    do_sample=False,
    output_scores=True,
    return_dict_in_generate=True,
)
names = sorted(items.get(tuple(row[3:5]), "no item") for row in out.sequences.tolist())
low = int((out.sequences_scores < -1e8).sum())
print(f"returned items: {names}, of them with a score below -1e8: {low}")
assert len(names) == 4 and set(names) == {"comb", "soap"} and low == 2
END
echo "as found: transformers-beams-repeat-when-few-items-are-legal"
