#!/usr/bin/env bash
# A left-padded history gets other scores from GPT-2's forward than from its own generate, although the mask is given.
#
# Guess beforehand: with attention_mask, padding changes nothing but the last bits; forward and generate see the same positions.
# Found: generate counts positions from the first real token; forward counts the padding, too. A history of 3 tokens with 4 of padding:
# the logits of forward differ by 3.8 from those of the history alone, and the three best items are others. generate differs by less
# than 1e-5, and so does forward with position_ids = (mask.cumsum(-1) - 1).clamp(0). OPT, which also has a table of positions, computes
# them from the mask: its forward is right. (Models with rotary positions differ in the last bits only.)
# Why it matters: candidates are scored with forward, lists are made with generate; training pads to the right. The score of a user then
# depends on the longest history of the batch, and an evaluation by forward is no evaluation of what is served.
# Output seen:
#   largest difference from the history alone: GPT2 forward 3.83, generate 0.00, forward with positions 0.00; OPT forward 0.00, generate 0.00
#   the three best items, GPT2: alone [3, 44, 28], padded [11, 2, 25]
# Usage: bash findings/transformers-gpt2-scores-depend-on-the-longest-history.sh   (installs transformers==5.23.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
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
from transformers import GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM

tokens = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
opt = {"hidden_size": 32, "ffn_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "word_embed_proj_dim": 32, "init_std": 0.3}
torch.manual_seed(0)
models = {
    "GPT2": GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, initializer_range=0.3, **tokens)).eval(),
    "OPT": OPTForCausalLM(OPTConfig(**opt, **tokens)).eval(),
}
history, padded = torch.tensor([[5, 6, 7]]), torch.tensor([[0, 0, 0, 0, 5, 6, 7]])
mask = (padded != 0).long()
off = {}
for name, model in models.items():
    with torch.no_grad():
        alone, forward = model(history).logits[0, -1], model(padded, attention_mask=mask).logits[0, -1]
        one = model.generate(padded, attention_mask=mask, max_new_tokens=1, do_sample=False, output_logits=True, return_dict_in_generate=True)
        off[name] = [float((found - alone).abs().max()) for found in (forward, one.logits[0][0])]
        if name == "GPT2":
            placed = model(padded, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(0)).logits[0, -1]
            off["placed"] = [float((placed - alone).abs().max())]
            best = [found.topk(3).indices.tolist() for found in (alone, forward)]
told = f"GPT2 forward {off['GPT2'][0]:.2f}, generate {off['GPT2'][1]:.2f}, forward with positions {off['placed'][0]:.2f}"
print(f"largest difference from the history alone: {told}; OPT forward {off['OPT'][0]:.2f}, generate {off['OPT'][1]:.2f}")
print(f"the three best items, GPT2: alone {best[0]}, padded {best[1]}")
assert off["GPT2"][0] > 0.5 and max(off["GPT2"][1], *off["placed"], *off["OPT"]) < 1e-4 and best[0] != best[1]
END
echo "as found: transformers-gpt2-scores-depend-on-the-longest-history"
