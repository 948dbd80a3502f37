#!/usr/bin/env bash
# The eval_loss of transformers' Trainer is 5.2 or 0.35 for the same model and the same users, by per_device_eval_batch_size.
#
# Guess beforehand: the loss is the mean over all tokens that have a label; the batch size changes memory and speed.
# Found: each batch gives its mean over tokens, and these are averaged by the number of rows. Four users have two items at random and
# four have thirty in a pattern that the model knows. With one user a batch, a history of two counts as much as one of thirty; with all
# eight in a batch, the tokens of the long ones count. With batches of two, it is the one if users are sorted by length, and the other
# if long and short ones alternate. The training loss is one mean over tokens (num_items_in_batch).
# Why it matters: losses and perplexities of two papers, or of one model on two cards, are not comparable, early stopping and the best
# checkpoint hang on it, and more memory makes a model "better". Histories of users differ in length by a hundred.
# Output seen:
#   sorted by length, batches of 1, 2, 8: 5.20, 5.20, 0.35; alternating: 5.20, 0.35, 0.35; mean over tokens 0.35
# Usage: bash findings/transformers-eval-loss-depends-on-the-batch-size.sh   (installs transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import logging

logging.disable(logging.WARNING)
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments

torch.manual_seed(0)
shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
model = LlamaForCausalLM(LlamaConfig(vocab_size=50, pad_token_id=0, bos_token_id=1, eos_token_id=2, **shape))
rng = np.random.default_rng(0)
short = [{"input_ids": rng.integers(3, 50, 2).tolist()} for _ in range(4)]
long = [{"input_ids": [3 + (start + n) % 47 for n in range(30)]} for start in (0, 10, 20, 30)]
by_length, alternating = short + long, [user for pair in zip(short, long) for user in pair]


def collate(users: list[dict]) -> dict:
    size = max(len(user["input_ids"]) for user in users)
    ids = torch.tensor([user["input_ids"] + [0] * (size - len(user["input_ids"])) for user in users])
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": ids.masked_fill(ids == 0, -100)}


def loss(users: list[dict], batch: int) -> float:
    settings = TrainingArguments("out", per_device_eval_batch_size=batch, report_to=[], use_cpu=True, disable_tqdm=True)
    trainer = Trainer(model, settings, data_collator=collate, eval_dataset=users)
    trainer.remove_callback(PrinterCallback)
    return trainer.evaluate()["eval_loss"]


steps = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(60):
    steps.zero_grad()
    model(**collate(long)).loss.backward()
    steps.step()
found = [[loss(users, batch) for batch in (1, 2, 8)] for users in (by_length, alternating)]
with torch.no_grad():
    whole = collate(by_length)
    logits = model(whole["input_ids"], attention_mask=whole["attention_mask"]).logits
    over_tokens = float(torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), whole["labels"][:, 1:].flatten(), ignore_index=-100))
told = [", ".join(f"{value:.2f}" for value in row) for row in found]
print(f"sorted by length, batches of 1, 2, 8: {told[0]}; alternating: {told[1]}; mean over tokens {over_tokens:.2f}")
assert abs(found[0][2] - over_tokens) < 1e-3 and found[0][0] > 3 * over_tokens
assert abs(found[0][1] - found[0][0]) < 1e-3 and abs(found[1][1] - over_tokens) < 1e-3
END
echo "as found: transformers-eval-loss-depends-on-the-batch-size"
