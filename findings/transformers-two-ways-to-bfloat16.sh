#!/usr/bin/env bash
# For long histories, Llama by model.to(torch.bfloat16) is eight times as far off as by from_pretrained(dtype=torch.bfloat16).
#
# Guess beforehand: both give the same model: the weights of the one are those of the other, bit for bit.
# Found: they are, and the answers differ. Rotary positions are made from a buffer of frequencies that is not saved. from_pretrained keeps it
# in float32; .to() rounds it to bfloat16 with all the rest, and the error of an angle grows with the position. Against the float32
# model, logits are off by 0.02 either way for 10 tokens. For 3,000 tokens it is 0.02 by from_pretrained and 0.19 by .to().
# Why it matters: a history of 750 items with four codes each is 3,000 tokens. A model that is made in float32 and converted for serving, or for
# evaluation, answers worse the longer a history is, and a comparison of state_dicts finds no difference.
# Output seen:
#   weights equal True, frequencies float32 and bfloat16
#   mean error of a logit, from_pretrained and .to: 10 tokens 0.023 and 0.023, 1000 tokens 0.026 and 0.097, 3000 tokens 0.023 and 0.194
# Usage: bash findings/transformers-two-ways-to-bfloat16.sh   (installs transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
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
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

transformers.utils.logging.disable_progress_bar()
shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
torch.manual_seed(0)
exact = LlamaForCausalLM(LlamaConfig(vocab_size=50, max_position_embeddings=4096, initializer_range=0.2, **shape)).eval()
exact.save_pretrained("model")
loaded = LlamaForCausalLM.from_pretrained("model", dtype=torch.bfloat16).eval()
converted = LlamaForCausalLM.from_pretrained("model", dtype=torch.float32).to(torch.bfloat16).eval()
one, other = loaded.state_dict(), converted.state_dict()
equal = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
kinds = [str(model.model.rotary_emb.inv_freq.dtype).removeprefix("torch.") for model in (loaded, converted)]
found = {}
for size in (10, 1000, 3000):
    histories = torch.randint(0, 50, (8, size))
    with torch.no_grad():
        right, *made = (model(histories).logits[:, -5:].float() for model in (exact, loaded, converted))
    found[size] = [float((logits - right).abs().mean()) for logits in made]
told = ", ".join(f"{size} tokens {by_load:.3f} and {by_to:.3f}" for size, (by_load, by_to) in found.items())
print(f"weights equal {equal}, frequencies {kinds[0]} and {kinds[1]}")
print(f"mean error of a logit, from_pretrained and .to: {told}")
assert equal and kinds == ["float32", "bfloat16"] and found[10][1] < 2 * found[10][0] and found[3000][1] > 3 * found[3000][0]
END
echo "as found: transformers-two-ways-to-bfloat16"
