#!/usr/bin/env bash
# In eval mode and without dropout, torch's TransformerEncoder gives a user one vector with gradients and another one under no_grad.
#
# Guess beforehand: no_grad saves memory; the numbers are the same up to rounding.
# Found: with a mask of padding, eval mode and no gradient, the encoder packs the real places together and writes zeros at the padding.
# With a gradient, or in train mode, the padding has values, as any place has. A mean or a maximum over places, or a last place that is
# padding, then differs by as much as the vectors themselves. A user with an empty history, who has only padding, gets a vector of numbers
# on one way and zeros on the other. Both forms of the same model are right at the real places.
# Why it matters: a loss computed in a training step and a metric under no_grad are of two models. Which of the two runs depends on odd
# details (an odd number of heads, norm_first, a causal mask, enable_nested_tensor) that turn the fast way off.
# Output seen:
#   largest difference at real places below 1e-5; of the mean over all places 0.4 or more; empty history: with gradient not 0, under no_grad 0.0
# Usage: bash findings/torch-encoder-answers-differently-under-no-grad.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import torch

torch.set_num_threads(1)
torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
model = torch.nn.TransformerEncoder(layer, 2).eval()
users = torch.randn(3, 6, 8)
padding = torch.arange(6) >= torch.tensor([[6], [2], [0]])
slow = model(users, src_key_padding_mask=padding).detach()
with torch.no_grad():
    fast = model(users, src_key_padding_mask=padding)
assert slow.shape == fast.shape
real = (slow - fast)[~padding].abs().max().item()
mean = (slow.mean(1) - fast.mean(1))[:2].abs().max().item()
empty = (slow[2].abs().max().item(), fast[2].abs().max().item())
words = ("below 1e-5" if real < 1e-5 else real, "0.4 or more" if mean >= 0.4 else mean, "not 0" if empty[0] > 0.1 else empty[0])
print(f"largest difference at real places {words[0]}; of the mean over all places {words[1]}; empty history: with gradient {words[2]}, under no_grad {empty[1]}")
assert real < 1e-5 and mean > 0.2 and empty[0] > 0.1 and empty[1] == 0
END
echo "as found: torch-encoder-answers-differently-under-no-grad"
