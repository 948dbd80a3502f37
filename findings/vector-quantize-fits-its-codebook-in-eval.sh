#!/usr/bin/env bash
# vector-quantize-pytorch with kmeans_init fits its codebook to the first batch that it sees, in eval mode and without gradients.
#
# Guess beforehand: eval() reads the codebook and changes nothing; the k-means start is a part of training.
# Found: the first forward call runs k-means whatever the mode is, and marks the codebook as fitted, so that the first training batch
# does not do it any more. Two copies of one model give other codes to the same items, by what they encoded first.
# Why it matters: a check of the validation batch before training (many trainers do one) makes the start of all codebooks out of
# held-out items; and a tokenizer whose weights were not loaded answers with plausible codes instead of an error.
# Output seen:
#   eval and no_grad: codebook changed True, fitted afterwards True; the first training batch starts k-means again False
#   codes of the same 64 items after another first batch: equal for fewer than half
# Usage: bash findings/vector-quantize-fits-its-codebook-in-eval.sh   (installs vector-quantize-pytorch==1.32.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check vector-quantize-pytorch==1.32.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import copy

import torch
from vector_quantize_pytorch import ResidualVQ

torch.manual_seed(0)
model = ResidualVQ(dim=8, num_quantizers=2, codebook_size=16, kmeans_init=True, ema_update=False, learnable_codebook=True).eval()
other = copy.deepcopy(model)
held_out, items = torch.randn(64, 8) + 5, torch.randn(64, 8)
before = model.codebooks.clone()
with torch.no_grad():
    model(held_out)
fitted = bool(model.layers[0]._codebook.initted)
changed = not torch.equal(before, model.codebooks)
start = model.codebooks.clone()
model.train()
with torch.no_grad():
    model(items)
again = not torch.equal(start, model.codebooks)
model.eval()
with torch.no_grad():
    same = float((model(items)[1] == other(items)[1]).all(dim=-1).float().mean())
print(f"eval and no_grad: codebook changed {changed}, fitted afterwards {fitted}; the first training batch starts k-means again {again}")
print(f"codes of the same 64 items after another first batch: equal for {same:.2f}")
assert (changed, fitted, again) == (True, True, False) and same < 0.5
END
echo "as found: vector-quantize-fits-its-codebook-in-eval"
