#!/usr/bin/env bash
# With label smoothing, transformers' Trainer teaches Llama the next item, and a subclass of Llama to repeat the last one. The loss is the same.
#
# Guess beforehand: a subclass with no code of its own trains as the class does; label smoothing changes the target, not its place.
# Found: with label_smoothing_factor the Trainer computes the loss itself, and shifts labels by one only if the name of the class is in its list
# of causal models. "class Recommender(LlamaForCausalLM): pass" is not in the list: the model learns to name the token that it
# just read. After 150 steps on histories with a plain pattern, eval_loss is 0.72 for both; the class has all next items right and the
# subclass none. Without smoothing, both have all right, as the model's own loss shifts. No warning.
# Why it matters: recommenders are subclasses, for a head or an input more, and smoothing is a setting that one tries. Loss falls faster, as
# repeating is easy, and only generated lists show that nothing was learned.
# Output seen:
#   LlamaForCausalLM, smoothing 0.0: eval_loss 0.00, next item right 1.0, item repeated 0.0
#   Recommender, smoothing 0.0: eval_loss 0.00, next item right 1.0, item repeated 0.0
#   LlamaForCausalLM, smoothing 0.1: eval_loss 0.72, next item right 1.0, item repeated 0.0
#   Recommender, smoothing 0.1: eval_loss 0.72, next item right 0.0, item repeated 1.0
# Usage: bash findings/transformers-label-smoothing-trains-a-subclass-to-repeat.sh   (installs transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import logging
import warnings

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments

shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
users = [[3 + (start + step) % 47 for step in range(20)] for start in range(40)]


class Recommender(LlamaForCausalLM):
    pass


def collate(histories: list[list[int]]) -> dict:
    return {"input_ids": torch.tensor(histories), "labels": torch.tensor(histories)}


def trained(kind: type, smoothing: float) -> tuple[float, float, float]:
    """eval_loss, share of next items that are right, and share of places where the answer is the item just read."""
    torch.manual_seed(0)
    model = kind(LlamaConfig(vocab_size=50, pad_token_id=0, bos_token_id=1, eos_token_id=2, **shape))
    settings = TrainingArguments(
        "out",
        max_steps=150,
        learning_rate=0.01,
        per_device_train_batch_size=40,
        label_smoothing_factor=smoothing,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(model, settings, data_collator=collate, train_dataset=users, eval_dataset=users)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    loss, items = trainer.evaluate()["eval_loss"], torch.tensor(users)
    with torch.no_grad():
        answers = model.eval()(items).logits.argmax(-1)
    right, repeated = (answers[:, :-1] == items[:, 1:]).float().mean(), (answers == items).float().mean()
    return loss, float(right), float(repeated)


found = {}
for smoothing in (0.0, 0.1):
    for kind in (LlamaForCausalLM, Recommender):
        loss, right, repeated = found[kind, smoothing] = trained(kind, smoothing)
        print(f"{kind.__name__}, smoothing {smoothing}: eval_loss {loss:.2f}, next item right {right:.1f}, item repeated {repeated:.1f}")
for (kind, smoothing), (_, right, repeated) in found.items():
    wrong = kind is Recommender and smoothing > 0
    assert (right < 0.1 and repeated > 0.9) if wrong else (right > 0.9 and repeated < 0.1)
assert abs(found[LlamaForCausalLM, 0.1][0] - found[Recommender, 0.1][0]) < 0.05
END
echo "as found: transformers-label-smoothing-trains-a-subclass-to-repeat"
