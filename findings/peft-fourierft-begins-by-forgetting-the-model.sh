#!/usr/bin/env bash
# A fresh FourierFT adapter of peft, before any training, takes the right next items of a small model from 100% to 3%. LoRA leaves 100%.
#
# Guess beforehand: an adapter that was never trained changes nothing; fine-tuning begins at the loss of the base model.
# Found: FourierFTConfig draws its spectrum from a normal distribution (init_weights=False) and multiplies it by 150. The change of a
# weight grows as the matrix gets smaller, so a width of 64 is overrun (loss 0.007 to 4.4) and a width of some thousands hides it. With
# init_weights=True the spectrum is zero and the model as before. LoRA and VeRA begin at zero.
# Why it matters: recommenders of this kind are small. The tuning begins from noise, relearns a part, and the comparison of adapters says
# that this one is worse, or that fine-tuning forgets. Look at the loss before the first step, and set init_weights=True.
# Output seen:
#   right next items: base 100%, LoRA 100%, VeRA 100%, FourierFT 3%, FourierFT with init_weights=True 100%
# Usage: bash findings/peft-fourierft-begins-by-forgetting-the-model.sh   (installs peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import copy

import torch
from peft import FourierFTConfig, LoraConfig, VeraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **shape))
histories = (torch.arange(50)[:, None] + 3 * torch.arange(8)) % 50
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(150):
    model(histories, labels=histories).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


@torch.no_grad()
def hits(tuned: torch.nn.Module) -> float:
    return (tuned.eval()(histories).logits[:, :-1].argmax(-1) == histories[:, 1:]).double().mean().item()


configs = {
    "LoRA": LoraConfig(target_modules=["q_proj", "v_proj"]),
    "VeRA": VeraConfig(target_modules=["q_proj", "v_proj"]),
    "FourierFT": FourierFTConfig(target_modules=["q_proj", "v_proj"]),
    "FourierFT with init_weights=True": FourierFTConfig(target_modules=["q_proj", "v_proj"], init_weights=True),
}
right = {"base": hits(model)}
for name, config in configs.items():
    torch.manual_seed(1)
    right[name] = hits(get_peft_model(copy.deepcopy(model), config))
print("right next items: " + ", ".join(f"{name} {share:.0%}" for name, share in right.items()))
assert right.pop("FourierFT") < 0.2 and min(right.values()) > 0.99
END
echo "as found: peft-fourierft-begins-by-forgetting-the-model"
