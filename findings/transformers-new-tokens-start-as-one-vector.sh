#!/usr/bin/env bash
# resize_token_embeddings gives all new tokens the same vector, although it says that it draws them.
#
# Guess beforehand: new rows are drawn with the mean and covariance of the old ones (the message says so), so they differ from
# one another as old rows do.
# Found: the covariance is multiplied by 1e-9 first. 100 new rows spread 30,000 times less than the old ones and point in
# one direction (cosine 1.000000); old rows have a cosine of about 0. In bfloat16, nine of ten numbers of two new rows
# are equal bit by bit. mean_resizing=False draws rows that differ.
# Why it matters: semantic IDs are new tokens. All codes of all levels start as one token in input and output, and only training
# separates them; a few rare codes stay together for long.
# Output seen:
#   spread of new rows over old rows: below 1e-4; smallest cosine of two new rows above 0.9999; of old rows below 0.9
#   numbers that are equal in bfloat16: 0.91; with mean_resizing=False: spread about 1
# Usage: bash findings/transformers-new-tokens-start-as-one-vector.sh   (installs transformers==5.23.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import logging

import torch
from transformers import LlamaConfig, LlamaForCausalLM

logging.disable(logging.WARNING)
shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}


def rows(**options):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=500, **shape))
    # trained embeddings have a mean of their own
    model.model.embed_tokens.weight.data += 0.01 * torch.randn(32)
    model.resize_token_embeddings(600, **options)
    return model.model.embed_tokens.weight.detach().split([500, 100])


def smallest(table):
    unit = torch.nn.functional.normalize(table.double(), dim=1)
    return float((unit @ unit.T).min())


old, new = rows()
share = float(new.std(0).mean() / old.std(0).mean())
plain = rows(mean_resizing=False)
print(f"spread of new rows over old rows: {share:.1e}; smallest cosine of two new rows {smallest(new):.6f}; of old rows {smallest(old):.2f}")
equal = float((new[0].bfloat16() == new[1].bfloat16()).float().mean())
print(f"numbers that are equal in bfloat16: {equal:.2f}; with mean_resizing=False: spread {float(plain[1].std(0).mean() / plain[0].std(0).mean()):.2f}")
assert equal > 0.8 and share < 1e-4 and smallest(new) > 0.9999 and smallest(old) < 0.9
assert 0.5 < float(plain[1].std(0).mean() / plain[0].std(0).mean()) < 2
END
echo "as found: transformers-new-tokens-start-as-one-vector"
