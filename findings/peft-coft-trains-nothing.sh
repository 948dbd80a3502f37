#!/usr/bin/env bash
# OFT of peft with coft=True trains nothing: after 200 steps the loss is 3.9203, as before the first, where OFT without it comes to 3.79.
#
# Guess beforehand: the constrained variant turns the weights a little less than the free one, and learns a little less.
# Found: after each step the rotation is cut back to a ball whose size is eps, 6e-5 unless it is given, so that no angle is larger than
# some millionths. The loss falls in the sixth digit. eps=0.1 gives 3.9186 and eps=10 gives 3.86. Nothing is said; gradients flow, weights
# change, the adapter is saved and loaded, and its model answers as the base model does.
# Why it matters: a tuned recommender that is no better than its base looks like data that teach nothing. Set eps by what it does to the
# loss, or leave coft off.
# Output seen:
#   loss before 3.9203, after: OFT 3.7851, coft 3.9203, coft with eps=10 3.8629
#   largest angle weight: OFT 3.22, coft 4e-06
# Usage: bash findings/peft-coft-trains-nothing.sh   (installs peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from peft import OFTConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
torch.manual_seed(1)
histories = torch.randint(0, 50, (16, 12))


def trained(**options: object) -> tuple[float, float, float]:
    """Loss before and after 200 steps, largest trained number."""
    torch.manual_seed(0)
    config = OFTConfig(r=0, oft_block_size=8, target_modules=["q_proj", "v_proj", "down_proj"], **options)
    model = get_peft_model(LlamaForCausalLM(LlamaConfig(vocab_size=50, **shape)), config)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.02)
    losses = []
    for _ in range(200):
        loss = model(histories, labels=histories).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        losses.append(model(histories, labels=histories).loss.item())
    return losses[0], losses[-1], max(weight.abs().max().item() for weight in weights)


free, tied, wide = trained(), trained(coft=True), trained(coft=True, eps=10.0)
print(f"loss before {free[0]:.4f}, after: OFT {free[1]:.4f}, coft {tied[1]:.4f}, coft with eps=10 {wide[1]:.4f}")
print(f"largest angle weight: OFT {free[2]:.2f}, coft {tied[2]:.0e}")
assert free[0] - free[1] > 0.1 and 0 <= tied[0] - tied[1] < 1e-4 and wide[0] - wide[1] > 0.03 and tied[2] < 1e-4
END
echo "as found: peft-coft-trains-nothing"
