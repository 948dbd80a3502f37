#!/usr/bin/env bash
# With kept keys, torch's attention with is_causal=True shows the newest item of a history only the first one.
#
# Guess beforehand: the one query is the last position, as the keys are those of the whole history, so it may see all of them.
# Found: the mask is a triangle from the upper left: query 0 sees key 0. One query with the keys of five items gets the value of the first
# item and nothing else; two queries with five keys see one and two items. Without is_causal, one query is right. torch's own
# causal_lower_right makes the mask that is meant. No error and no warning, and the shapes are right.
# Why it matters: a model that keeps keys and values of a history, so that only new items are computed, calls the layer with one query. Trained
# without a cache it is right, served with one it recommends by the first item that the user ever had.
# Output seen:
#   newest of five items against the whole history: is_causal differs, its output is the first item's value True, causal_lower_right equal
#   two newest items: is_causal differs, causal_lower_right equal
# Usage: bash findings/torch-causal-attention-shows-the-newest-item-only-the-first.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention as attention

torch.manual_seed(0)
queries, keys, values = torch.randn(3, 1, 1, 5, 8)
whole = attention(queries, keys, values, is_causal=True)


def against(new: int, **settings) -> tuple[str, torch.Tensor]:
    """The attention of the newest items alone, with the keys and values of all, against the same rows of the whole history's."""
    out = attention(queries[:, :, -new:], keys, values, **settings)
    gap = float((out - whole[:, :, -new:]).abs().max())
    assert gap < 1e-5 or gap > 0.1
    return "equal" if gap < 1e-5 else "differs", out


(one, out), (one_right, _) = against(1, is_causal=True), against(1, attn_mask=causal_lower_right(1, 5))
first = bool((out - values[:, :, :1]).abs().max() < 1e-6)
print(f"newest of five items against the whole history: is_causal {one}, its output is the first item's value {first}, causal_lower_right {one_right}")
(two, _), (two_right, _), (bare, _) = against(2, is_causal=True), against(2, attn_mask=causal_lower_right(2, 5)), against(1)
print(f"two newest items: is_causal {two}, causal_lower_right {two_right}")
assert (one, one_right, two, two_right, bare) == ("differs", "equal", "differs", "equal", "equal") and first
END
echo "as found: torch-causal-attention-shows-the-newest-item-only-the-first"
