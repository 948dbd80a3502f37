#!/usr/bin/env bash
# torch.multinomial draws no rare item at all when the counts of all items add up to more than 16.7 million.
#
# Guess beforehand: each item is drawn in proportion to its weight, whatever the sum of the weights.
# Found: with replacement on a CPU, weights are added up one by one in their own type, float32. From 2^24 on, adding 1 changes nothing. 1,000 popular
# items with 20,000 purchases each, then 100,000 items with one: half a percent of all draws should be of the rare ones, and none of 2 million
# is. With the weight 7 for each of 4 million items, the last quarter is drawn more often than the first, by one seventh. float64 is
# right. The order of the items decides who is lost.
# Why it matters: negatives by popularity are drawn in this way, and counts of items are the weights. Logs of 20 million rows are
# ordinary. Rare items are never a negative, so a model may score them as high as it likes.
# Output seen:
#   share of rare items in 2000000 draws: float32 0.0, float64 0.0051, expected 0.005
#   quarters of 4194304 equal items: float32 [0.235, 0.236, 0.26, 0.269], float64 [0.25, 0.25, 0.251, 0.25]
# Usage: bash findings/torch-multinomial-never-draws-rare-items.sh   (installs torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import torch

torch.manual_seed(0)
draws = 2_000_000
purchases = torch.cat([torch.full((1000,), 20_000.0), torch.ones(100_000)])
equal = torch.full((2**22,), 7.0)
share, quarters = {}, {}
for dtype in (torch.float32, torch.float64):
    name = str(dtype).removeprefix("torch.")
    share[name] = float((torch.multinomial(purchases.to(dtype), draws, replacement=True) >= 1000).double().mean())
    drawn = torch.multinomial(equal.to(dtype), draws, replacement=True)
    quarters[name] = [round(float(part), 3) for part in torch.bincount(drawn // 2**20, minlength=4) / draws]
expected = float((purchases[1000:].double().sum() / purchases.double().sum()))
told = ", ".join(f"{name} {round(value, 4)}" for name, value in share.items())
print(f"share of rare items in {draws} draws: {told}, expected {round(expected, 4)}")
print(f"quarters of {len(equal)} equal items:", ", ".join(f"{name} {parts}" for name, parts in quarters.items()))
assert share["float32"] == 0 and abs(share["float64"] - expected) < 0.0005
assert quarters["float32"][3] > 1.1 * quarters["float32"][0] and max(quarters["float64"]) < 0.252
END
echo "as found: torch-multinomial-never-draws-rare-items"
