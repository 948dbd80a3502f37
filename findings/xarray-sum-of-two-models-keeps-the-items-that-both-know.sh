#!/usr/bin/env bash
# The sum of two models' scores has one item of four in xarray, four items with three NaN in pandas, and put side by side it has four in
# both.
#
# Guess beforehand: an item that one model does not know has no sum, and stays in the answer as NaN.
# Found: xarray's arithmetic keeps the items of both sides only (arithmetic_join="inner") and says nothing. concat of the same two keeps
# all, with a warning about a later version. Assigned to a data set, the second model keeps the items of the first and loses its own item
# "d". Three operations, three sets of items.
# Why it matters: a blend of two recommenders, each with its own cold items, has fewer items than either. The lists are full all the same,
# and the items that only one knows, which is why one blends, are never recommended.
# Output seen:
#   items of the sum: xarray ['b'], pandas ['a', 'b', 'c', 'd'] with 3 NaN; concat ['a', 'b', 'c', 'd'], assigned ['a', 'b', 'c']
# Usage: bash findings/xarray-sum-of-two-models-keeps-the-items-that-both-know.sh   (installs xarray==2026.9.0 pandas==3.1.1 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check xarray==2026.9.0 pandas==3.1.1 numpy==2.3.5
env/bin/python - <<'END'
import warnings

import pandas
import xarray

warnings.filterwarnings("ignore", category=FutureWarning)
first = xarray.DataArray([1.0, 2.0, 3.0], coords={"item": ["a", "b", "c"]}, dims="item")
second = xarray.DataArray([10.0, 20.0], coords={"item": ["b", "d"]}, dims="item")
summed = (first + second).coords["item"].values.tolist()
frames = first.to_pandas() + second.to_pandas()
beside = xarray.concat([first, second], dim="model").coords["item"].values.tolist()
both = xarray.Dataset({"first": first})
both["second"] = second
assigned = both.coords["item"].values.tolist()
print(f"items of the sum: xarray {summed}, pandas {frames.index.tolist()} with {int(frames.isna().sum())} NaN; concat {beside}, assigned {assigned}")
assert summed == ["b"] and frames.index.tolist() == beside == ["a", "b", "c", "d"] and frames.isna().sum() == 3
assert assigned == ["a", "b", "c"]
END
echo "as found: xarray-sum-of-two-models-keeps-the-items-that-both-know"
