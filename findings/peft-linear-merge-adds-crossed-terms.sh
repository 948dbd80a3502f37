#!/usr/bin/env bash
# peft's "linear" merge of two LoRA adapters is as far from their sum as the sum is from nothing.
#
# Guess beforehand: add_weighted_adapter(["a", "b"], [0.5, 0.5], "linear") changes a weight by half of what a does plus half of what b does.
# Found: it adds the two factors separately, so the product holds b's output factor times a's input factor and the reverse. For two
# adapters that were trained apart, the error is as large as the right change. "svd" with its default rank (the larger one of
# the two, not the sum) misses half of it. "cat" is exact.
# Why it matters: adapters of days, shops or markets are merged in this way, and "linear" is what one tries first; the merged model
# still answers, so the loss looks like interference of the tasks.
# Output seen:
#   relative error of the weight change: linear 0.96, svd 0.50, cat 0.00
# Usage: bash findings/peft-linear-merge-adds-crossed-terms.sh   (installs peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
model = get_peft_model(LlamaForCausalLM(LlamaConfig(vocab_size=50, **shape)), LoraConfig(r=4, target_modules=["q_proj"]), adapter_name="a")
model.add_adapter("b", LoraConfig(r=4, target_modules=["q_proj"]))
for name, weight in model.named_parameters():
    if "lora_" in name:
        weight.data.normal_()
layer = model.base_model.model.model.layers[0].self_attn.q_proj
wanted = 0.5 * layer.get_delta_weight("a") + 0.5 * layer.get_delta_weight("b")
error = {}
for kind in ("linear", "svd", "cat"):
    model.add_weighted_adapter(["a", "b"], [0.5, 0.5], kind, combination_type=kind)
    error[kind] = float((layer.get_delta_weight(kind) - wanted).norm() / wanted.norm())
print("relative error of the weight change: " + ", ".join(f"{kind} {value:.2f}" for kind, value in error.items()))
assert error["linear"] > 0.8 and error["svd"] > 0.4 and error["cat"] < 1e-5
END
echo "as found: peft-linear-merge-adds-crossed-terms"
