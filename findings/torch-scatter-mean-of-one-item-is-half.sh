#!/usr/bin/env bash
# In torch, the mean of item vectors by scatter_reduce is half as long as it should be for a user of one item, and too short for all others.
#
# Guess beforehand: "mean" into a tensor of zeros gives the mean of what is scattered; a user without items stays zero.
# Found: the zeros that the result is made of count as one more item (include_self is True by default): a user of one item gets half of
# its vector, a user of nine nine tenths. "amax" of negative scores is 0 for the same reason. index_reduce does it, too; scatter_reduce
# with include_self=False and the sum divided by the count are right.
# Why it matters: mean pooling of histories and of neighbours in a graph is written like this. Scores of new users are drawn to zero, the
# more the fewer items they have, and a threshold or a mix with other scores treats them differently. By cosine nothing shows.
# Output seen:
#   length of the mean of equal vectors of length 1: users of 1, 3 and 9 items 0.5, 0.75, 0.9; include_self=False 1.0, 1.0, 1.0
#   largest of the scores -3 and -2: 0.0 by scatter_reduce, -2.0 with include_self=False; mean by index_reduce 0.5
# Usage: bash findings/torch-scatter-mean-of-one-item-is-half.sh   (installs torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
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

users = torch.tensor([0] + [1] * 3 + [2] * 9)
vectors = torch.zeros(len(users), 4)
vectors[:, 0] = 1
places = users[:, None].expand_as(vectors)


def lengths(**settings) -> list[float]:
    means = torch.zeros(3, 4).scatter_reduce(0, places, vectors, "mean", **settings)
    return [round(float(length), 3) for length in means.norm(dim=1)]


plain, right = lengths(), lengths(include_self=False)
print(f"length of the mean of equal vectors of length 1: users of 1, 3 and 9 items {', '.join(map(str, plain))}; include_self=False {', '.join(map(str, right))}")
scores, one = torch.tensor([-3.0, -2.0]), torch.tensor([0, 0])
best = [float(torch.zeros(1).scatter_reduce(0, one, scores, "amax", **settings)) for settings in ({}, {"include_self": False})]
other = float(torch.zeros(3, 4).index_reduce(0, users, vectors, "mean")[0].norm())
print(f"largest of the scores -3 and -2: {best[0]} by scatter_reduce, {best[1]} with include_self=False; mean by index_reduce {other}")
assert plain == [0.5, 0.75, 0.9] and right == [1, 1, 1] and best == [0, -2] and other == 0.5
END
echo "as found: torch-scatter-mean-of-one-item-is-half"
