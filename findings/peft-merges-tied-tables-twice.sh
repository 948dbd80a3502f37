#!/usr/bin/env bash
# peft adds a LoRA of the token table twice when it merges a model whose output layer is tied to it.
#
# Guess beforehand: with ensure_weight_tying=True, the merged model gives the logits that the model gave with its adapter.
# Found: peft puts one shared adapter on the token table and on the output layer, which is right as long as it is not merged.
# merge_and_unload then merges both, and both are one weight: it changes by exactly twice what was trained. A warning says that a tied
# model "can lead to complications" when merged, without this option as with it, and not that the result is wrong.
# modules_to_save with the option is right, and told without a warning.
# Why it matters: new tokens of semantic IDs need trained rows, small language models are tied, and the option's name promises that ties
# are taken care of. The model that is served is not the one that was evaluated, and looks like one that was trained too long.
# Output seen:
#   change by merging over change by the adapter: LoRA 2.0, modules_to_save 1.0; warnings that name ties 1 and 0
#   logits as before merging: LoRA False, modules_to_save True
# Usage: bash findings/peft-merges-tied-tables-twice.sh   (installs peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
tokens = torch.arange(10)[None]


@torch.no_grad()
def merged(**options: object) -> tuple[float, bool, int]:
    """Change of the table by merging over that by the adapter, whether logits stay, warnings of ties."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, tie_word_embeddings=True, **shape)).eval()
    before = model.get_input_embeddings().weight.clone()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tuned = get_peft_model(model, LoraConfig(r=4, ensure_weight_tying=True, **options)).eval()
        for weight in tuned.parameters():
            if weight.requires_grad:
                weight.normal_(0, 0.1)
        table, logits = tuned.base_model.model.model.embed_tokens(torch.arange(50)), tuned(tokens).logits
        plain = tuned.merge_and_unload()
    ratio = (plain.get_input_embeddings().weight - before).norm() / (table - before).norm()
    same = torch.allclose(plain(tokens).logits, logits, atol=1e-4)
    return round(float(ratio), 4), same, sum("tie_word_embeddings" in str(one.message) for one in told)


lora = merged(target_modules=["embed_tokens"])
saved = merged(target_modules=["q_proj"], modules_to_save=["embed_tokens"])
print(f"change by merging over change by the adapter: LoRA {lora[0]}, modules_to_save {saved[0]};", end=" ")
print(f"warnings that name ties {lora[2]} and {saved[2]}")
print(f"logits as before merging: LoRA {lora[1]}, modules_to_save {saved[1]}")
assert lora[:2] == (2.0, False) and saved[:2] == (1.0, True)
END
echo "as found: peft-merges-tied-tables-twice"
