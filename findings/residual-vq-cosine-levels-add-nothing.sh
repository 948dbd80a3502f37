#!/usr/bin/env bash
# vector-quantize-pytorch's ResidualVQ with cosine similarity: four levels of codes describe an item hardly better than one.
#
# Guess beforehand: every level codes what the levels before left, so the error falls with each level, with cosine as with distance.
# Found: with use_cosine_sim=True all codebooks hold vectors of length 1, at every level. What the first level leaves is shorter than
# that, and from then on a vector of length 1 is taken off something smaller. Of unit vectors, one level leaves 0.64 of the variance and
# four leave 0.56 (by distance 0.53 and 0.09). Of the same vectors times 0.3, more is left than there was: 7.6 times, and 2.4 times with
# four levels.
# Why it matters: "cosine, as the vectors are text embeddings" is a natural choice for semantic IDs. The later codes then tell items
# apart hardly by what they are, and a change of scale of the vectors makes it worse without an error.
# Output seen:
#   length 1.0: distance 0.53 with one level and 0.09 with four, cosine 0.64 and 0.56
#   length 0.3: distance 0.53 and 0.09, cosine 7.57 and 2.36
# Usage: bash findings/residual-vq-cosine-levels-add-nothing.sh   (installs vector-quantize-pytorch==1.32.0 torch==2.13.0 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check vector-quantize-pytorch==1.32.0 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'END'
import torch
from vector_quantize_pytorch import ResidualVQ


def left(scale: float, levels: int, cosine: bool) -> float:
    """Share of the vectors' squared length that the codes of all levels leave, after the codebooks were fitted to them."""
    torch.manual_seed(0)
    items = torch.nn.functional.normalize(torch.randn(1000, 8), dim=-1) * scale
    model = ResidualVQ(dim=8, num_quantizers=levels, codebook_size=16, kmeans_init=True, use_cosine_sim=cosine)
    for _ in range(10):
        model(items)
    with torch.no_grad():
        coded = model.eval()(items)[0]
    return round(float((items - coded).pow(2).sum() / items.pow(2).sum()), 2)


found = {(scale, cosine): [left(scale, levels, cosine) for levels in (1, 4)] for scale in (1.0, 0.3) for cosine in (False, True)}
for (scale, cosine), (one, four) in found.items():
    print(f"length {scale}, {'cosine' if cosine else 'distance'}: one level leaves {one}, four leave {four}")
assert found[1.0, False] == found[0.3, False] and found[1.0, False][1] < 0.2
assert found[1.0, True][1] > 0.45 and found[1.0, True][0] - found[1.0, True][1] < 0.2
assert min(found[0.3, True]) > 1
END
echo "as found: residual-vq-cosine-levels-add-nothing"
