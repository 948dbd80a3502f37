#!/usr/bin/env bash
# nn.Embedding(max_norm=1) shortens the vectors of items that were looked up, also in eval mode, and leaves those of all other items long.
#
# Guess beforehand: max_norm is a property of the layer: all vectors are at most that long, or each is shortened in the output only.
# Found: forward writes the shortened vectors into the table, for the rows of this call only, in eval mode and under no_grad, too. Of
# 1,000 new items, 100 were looked up: their length is 1, that of the 900 others 3.9 on average. Scores over the whole table (history @
# weight.T) take the long ones: of the 100 items, none is the best match of its own vector. Looking up the other items shortens these,
# and then all 100 are.
# Why it matters: models that look a history up and score with the same table (SASRec and its kin) rank rare and new items first, by
# their length alone. What an evaluation looks up changes the next evaluation, and the weights that are saved after it.
# Output seen:
#   length of items that were looked up 1.00, of others 3.9; of 100 items the best match of themselves 0, after all were looked up 100
# Usage: bash findings/torch-max-norm-shortens-only-items-that-were-seen.sh   (installs torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import torch

torch.manual_seed(0)
table = torch.nn.Embedding(1000, 16, max_norm=1.0).eval()
items = torch.arange(100)


def own_best() -> int:
    return int((torch.argmax(table(items) @ table.weight.T, dim=1) == items).sum())


with torch.no_grad():
    before = own_best()
    lengths = table.weight.norm(dim=1)
    table(torch.arange(1000))
    after = own_best()
seen, other = float(lengths[:100].max()), float(lengths[100:].mean())
told = f"length of items that were looked up {seen:.2f}, of others {other:.1f}"
print(f"{told}; of 100 items the best match of themselves {before}, after all were looked up {after}")
assert seen < 1.001 and other > 3.5 and before < 10 and after == 100
END
echo "as found: torch-max-norm-shortens-only-items-that-were-seen"
