#!/usr/bin/env bash
# transformers' Trainer reports half of GPT-2's loss for histories of two items, in training and in evaluation; Llama's is right.
#
# Guess beforehand: eval_loss over users of equal length is the loss that the model itself returns for them.
# Found: the Trainer divides the sum over tokens by a count of labels. A history of n labels has n - 1 that are predicted. For classes
# named ...ForCausalLM the count leaves the first label out; for GPT2LMHeadModel, whose name gives no loss type, it does not. So the
# loss is (n - 1) / n of the right one: 1.94 in place of 3.87 for two items, 3.82 in place of 3.95 for thirty. The gradient is scaled by
# the same factor. (Labels that begin with -100, as those of a masked prompt do, are counted right.)
# Why it matters: GPT-2 is the usual small base of generative recommenders, and histories are short. exp(eval_loss) is no perplexity (48
# becomes 7), GPT-2 beats Llama by what is a miscount, and data with shorter histories looks easier.
# Output seen:
#   GPT2, 2 items: model 3.87, eval_loss 1.94, training loss 1.94; 30 items: model 3.95, eval_loss 3.82, training loss 3.82
#   Llama, 2 items: model 3.98, eval_loss 3.98, training loss 3.98; 30 items: model 3.90, eval_loss 3.90, training loss 3.90
# Usage: bash findings/transformers-trainer-halves-gpt2-loss-of-two-items.sh   (installs transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import logging

logging.disable(logging.WARNING)
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments

tokens = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
llama = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
torch.manual_seed(0)
models = {
    "GPT2": GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=1, n_head=2, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0, **tokens)),
    "Llama": LlamaForCausalLM(LlamaConfig(**llama, **tokens)),
}


def collate(users: list[list[int]]) -> dict:
    return {"input_ids": torch.tensor(users), "labels": torch.tensor(users)}


def losses(model, size: int) -> tuple[float, float, float]:
    """Loss of the model itself, eval_loss, and training loss at a learning rate of 0, of four users with `size` items each."""
    users = [list(range(3, 3 + size))] * 4
    settings = TrainingArguments(
        "out",
        per_device_eval_batch_size=4,
        per_device_train_batch_size=4,
        learning_rate=0.0,
        max_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(model, settings, data_collator=collate, train_dataset=users, eval_dataset=users)
    trainer.remove_callback(PrinterCallback)
    evaluated = trainer.evaluate()["eval_loss"]
    with torch.no_grad():
        own = model.eval()(**collate(users)).loss.item()
    return own, evaluated, trainer.train().training_loss


for name, model in models.items():
    found = {size: losses(model, size) for size in (2, 30)}
    told = [f"{size} items: model {own:.2f}, eval_loss {seen:.2f}, training loss {trained:.2f}" for size, (own, seen, trained) in found.items()]
    print(f"{name}, " + "; ".join(told))
    for size, (own, seen, trained) in found.items():
        share = (size - 1) / size if name == "GPT2" else 1
        assert abs(seen - share * own) < 1e-3 and abs(trained - share * own) < 1e-3
END
echo "as found: transformers-trainer-halves-gpt2-loss-of-two-items"
