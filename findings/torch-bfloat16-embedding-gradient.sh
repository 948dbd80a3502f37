#!/usr/bin/env bash
# The gradient of a popular item stops growing at 256 when an embedding table is held in bfloat16 on a CPU.
#
# Guess beforehand: the backward pass of an embedding adds in float32 and rounds once, as sum() and index_add_() do.
# Found: 4,096 equal contributions of 1 to one row give 256 in bfloat16 and 2,048 in float16, where float32 gives 4,096.
# index_put_ with accumulate=True stops at the same values. index_add_ and scatter_add_ do not.
# Why it matters: in a batch the rows of popular items (and of first-level codes) occur thousands of times, rare ones once.
# So pure bfloat16 training takes most of the gradient of popular rows away, and no loss or warning shows it.
# Output seen:
#   torch.float32 embedding 4096.0 index_put 4096.0 index_add 4096.0
#   torch.bfloat16 embedding 256.0 index_put 256.0 index_add 4096.0
#   torch.float16 embedding 2048.0 index_put 2048.0 index_add 4096.0
# Usage: bash findings/torch-bfloat16-embedding-gradient.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch

expected = {torch.float32: (4096, 4096, 4096), torch.bfloat16: (256, 256, 4096), torch.float16: (2048, 2048, 4096)}
rows = torch.zeros(4096, dtype=torch.long)
for dtype, wanted in expected.items():
    table = torch.zeros(10, 4, dtype=dtype, requires_grad=True)
    torch.nn.functional.embedding(rows, table).sum().backward()
    ones = torch.ones(4096, 4, dtype=dtype)
    put = torch.zeros(10, 4, dtype=dtype).index_put_((rows,), ones, accumulate=True)
    added = torch.zeros(10, 4, dtype=dtype).index_add_(0, rows, ones)
    found = (table.grad[0, 0].item(), put[0, 0].item(), added[0, 0].item())
    print(dtype, "embedding", found[0], "index_put", found[1], "index_add", found[2])
    assert found == wanted, found
END
echo "as found: torch-bfloat16-embedding-gradient"
