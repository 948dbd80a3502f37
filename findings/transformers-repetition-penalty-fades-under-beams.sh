#!/usr/bin/env bash
# repetition_penalty=2 keeps bought items off nine of ten greedy answers that would name one, and off one of four with beam search.
#
# Guess beforehand: a penalty acts on the scores of the tokens in the same way, however many beams there are.
# Found: greedy search and sampling apply it to logits, beam search to log-probabilities. A token with a large logit is divided (8
# becomes 4); as a log-probability it stands just below 0, and twice -0.1 is -0.2: the likeliest token stays the likeliest. Unlikely
# tokens of the prompt are pushed down instead. Of 200 answers, 54 begin with a token of the prompt; with a penalty of 2 it is 5 of
# greedy search and 39 with two beams; with 4, none and 25.
# Why it matters: histories are prompts, and the penalty is used to keep bought items off the list. Set on greedy answers, it does
# little for the lists, which are made with beams, where the likeliest repeats are just those that stay.
# Output seen:
#   of 200 answers, first tokens that the prompt holds, with penalties 1, 1.5, 2 and 4: greedy [54, 9, 5, 0], two beams [54, 45, 39, 25]
# Usage: bash findings/transformers-repetition-penalty-fades-under-beams.sh   (installs transformers==5.23.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import logging

logging.disable(logging.WARNING)
import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
tokens = {"vocab_size": 40, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
model = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=1, n_head=2, initializer_range=0.8, **tokens)).eval()
prompts = torch.randint(3, 40, (200, 8))


def repeated(beams: int, penalty: float) -> int:
    made = model.generate(
        prompts, attention_mask=torch.ones_like(prompts), num_beams=beams, repetition_penalty=penalty, max_new_tokens=1, do_sample=False
    )
    return int((made[:, -1:] == prompts).any(dim=1).sum())


found = {beams: [repeated(beams, penalty) for penalty in (1.0, 1.5, 2.0, 4.0)] for beams in (1, 2)}
print(f"of 200 answers, first tokens that the prompt holds, with penalties 1, 1.5, 2 and 4: greedy {found[1]}, two beams {found[2]}")
assert found[1][0] == found[2][0] > 30 and found[1][2] < 0.3 * found[1][0] and found[2][2] > 0.5 * found[2][0] and found[2][3] > found[1][3] + 10
END
echo "as found: transformers-repetition-penalty-fades-under-beams"
