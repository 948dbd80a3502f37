#!/usr/bin/env bash
# Two users packed into one row of Llama are kept apart by their positions, but not in a plain call of the model: use_cache is on there.
#
# Guess beforehand: positions that start again at 0 either separate the users or do not; a cache for later tokens changes no result.
# Found: without a mask, transformers finds the borders from position_ids and the second user gets the same logits as alone. It looks for
# them only if there is no cache, and model(...) makes one unless use_cache=False is given, in train mode, too. The second user then
# attends to all items of the first, and its logits differ by 0.3 from those alone. Passing a mask of ones, which changes
# nothing elsewhere, turns the borders off as well, also without a cache. Nothing is logged in any of the cases.
# Why it matters: packing short histories is the usual way to save padding. A training loop of one's own trains on borders that are not
# there, and an evaluation in packed rows lets one user's items move the scores of the next.
# Output seen:
#   second user, packed against alone: use_cache=False apart, default mixed, default in train mode mixed, mask of ones mixed
# Usage: bash findings/transformers-packed-users-see-each-other-with-a-cache.sh   (installs transformers==5.23.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **shape)).eval()
first, second = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[9, 10, 11]])
packed = torch.cat([first, second], dim=1)
positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2]])
with torch.no_grad():
    alone = model(second).logits


@torch.no_grad()
def answer(train: bool = False, **settings) -> str:
    model.train(train)  # this model has no dropout
    gap = (model(packed, position_ids=positions, **settings).logits[:, 4:] - alone).abs().max().item()
    assert gap < 1e-5 or gap > 0.05
    return "apart" if gap < 1e-5 else "mixed"


found = [answer(use_cache=False), answer(), answer(train=True), answer(use_cache=False, attention_mask=torch.ones_like(packed))]
print("second user, packed against alone: use_cache=False {}, default {}, default in train mode {}, mask of ones {}".format(*found))
assert found == ["apart", "mixed", "mixed", "mixed"]
END
echo "as found: transformers-packed-users-see-each-other-with-a-cache"
