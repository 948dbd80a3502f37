#!/usr/bin/env bash
# In faiss, "PCA16,Flat" of 16 numbers keeps all distances, and of the ten best items by product only two.
#
# Guess beforehand: PCA to the full width is a rotation of the vectors, and a rotation changes no product: both lists are those of the plain
# index.
# Found: PCA takes the mean of the items from items and queries. Distances do not see it, so all ten nearest by L2 stay. A product loses the
# product of the item with the mean, which is another number for each item: large for items that point where most items point. "RR16,Flat"
# (a rotation) and "OPQ4_16,Flat" take no mean away and keep all ten. Nothing is said when the index is made with METRIC_INNER_PRODUCT.
# Why it matters: scores of recommenders are products, and their items have a large common part, which is popularity. The recall that is
# lost looks like the price of fewer dimensions, so one takes more of them, and nothing helps. The items that are pushed down are the
# popular ones.
# Output seen:
#   share of the ten best that stay: by L2 PCA16 1.00, RR16 1.00; by product PCA16 below 0.5, RR16 1.00
# Usage: bash findings/faiss-pca-is-no-rotation-for-products.sh   (installs faiss-cpu==1.15.1 numpy==2.4.6 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
env/bin/python - <<'END'
import faiss
import numpy as np

faiss.omp_set_num_threads(1)
rng = np.random.default_rng(0)
common = rng.normal(size=16)
items = (rng.normal(size=(3000, 16)) * rng.lognormal(0, 0.3, (3000, 1)) + common).astype(np.float32)
users = (rng.normal(size=(100, 16)) + common / 2).astype(np.float32)


def best(spec: str, metric: int) -> np.ndarray:
    index = faiss.index_factory(16, spec, metric)
    index.train(items)
    index.add(items)
    return index.search(users, 10)[1]


def stay(spec: str, metric: int) -> float:
    """Share of the true ten that are found."""
    true = best("Flat", metric)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true, best(spec, metric), strict=True)]))


far = {spec: stay(f"{spec},Flat", faiss.METRIC_L2) for spec in ("PCA16", "RR16")}
product = {spec: stay(f"{spec},Flat", faiss.METRIC_INNER_PRODUCT) for spec in ("PCA16", "RR16")}
low = "below 0.5" if product["PCA16"] < 0.5 else product["PCA16"]
print(f"share of the ten best that stay: by L2 PCA16 {far['PCA16']:.2f}, RR16 {far['RR16']:.2f}; by product PCA16 {low}, RR16 {product['RR16']:.2f}")
assert min(far.values()) > 0.99 and product["RR16"] > 0.99 and product["PCA16"] < 0.5
END
echo "as found: faiss-pca-is-no-rotation-for-products"
