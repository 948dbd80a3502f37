#!/usr/bin/env bash
# torch.cdist finds the nearest of 20 centroids for every item in batches of 20, and for one item in five in a batch of 200.
#
# Guess beforehand: a distance is that of two rows; how many other rows are in the call makes no difference beyond the last bits.
# Found: up to 25 rows on both sides, differences are squared and added. With more rows on either side, |a|^2 - 2ab + |b|^2 is computed
# instead, in float32. Where vectors share a large common part (mean 100, spread 0.05), hardly any digit of the true distance is left:
# 81 percent of the items get another code, and the distance of an item to itself is up to 0.6, as large as that to its neighbour.
# compute_mode="donot_use_mm_for_euclid_dist" is right for all.
# Why it matters: VQ layers and k-means in torch take codes from cdist(...).argmin. A test with a few rows passes; the catalogue gets
# other codes; and an item that is encoded alone later gets a code that is not the one in the index.
# Output seen:
#   items with their nearest centroid: batches of 20 1.0, one batch of 200 0.19, without matrix products 1.0
#   largest distance of an item to itself: 0.0 among 20 items, above 0.3 among 200
# Usage: bash findings/torch-cdist-nearest-centroid-depends-on-the-batch.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch

torch.manual_seed(0)
items = 100 + 0.05 * torch.randn(200, 64)
centroids = items[:20] + 0.01 * torch.randn(20, 64)
right = torch.cdist(items.double(), centroids.double()).argmin(dim=1)


def share(codes: torch.Tensor) -> float:
    return round(float((codes == right).float().mean()), 2)


small = share(torch.cat([torch.cdist(batch, centroids).argmin(dim=1) for batch in items.split(20)]))
large = share(torch.cdist(items, centroids).argmin(dim=1))
exact = share(torch.cdist(items, centroids, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=1))
print(f"items with their nearest centroid: batches of 20 {small}, one batch of 200 {large}, without matrix products {exact}")
few, many = (float(torch.cdist(part, part).diagonal().max()) for part in (items[:20], items))
print(f"largest distance of an item to itself: {few} among 20 items, {'above' if many > 0.3 else 'below'} 0.3 among 200")
assert small == exact == 1.0 and large < 0.5
assert few == 0 and many > 0.3
END
echo "as found: torch-cdist-nearest-centroid-depends-on-the-batch"
