#!/usr/bin/env bash
# A sentence-transformers model that ends with Normalize gives vectors of length 0.4 and of 0.7 with truncate_dim=8, and products rank by
# that length.
#
# Guess beforehand: a model with a Normalize module gives vectors of length 1, whatever their width is.
# Found: truncate_dim cuts after all modules, so that the vectors of a model that normalises are of length 1 before the cut and of any
# length after it. normalize_embeddings=True scales after the cut and is right. The default of both is no scaling; the model's own
# similarity is a cosine, which hides it. With products, as an index for normalised vectors takes them, the best item is often another
# one: two titles in five do not find themselves.
# Why it matters: cutting Matryoshka vectors is how catalogues are kept small, and "this model normalises" is why one takes the inner
# product. Items whose first numbers are large come up for everybody.
# Output seen:
#   lengths: whole 1.00 to 1.00, cut below 0.4 to above 0.7; titles that find themselves first: cosine 1.0, product below 0.6
#   with normalize_embeddings=True: lengths 1.00 to 1.00, product 1.0
# Usage: bash findings/sentence-transformers-cut-vectors-lose-their-length.sh   (installs sentence-transformers==6.2.0 transformers==5.23.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check sentence-transformers==6.2.0 transformers==5.23.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["<unk>", *(f"w{n}" for n in range(200))])}, unk_token="<unk>"))
plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
torch.set_num_threads(1)
torch.manual_seed(0)
model = SentenceTransformer(modules=[StaticEmbedding(plain, embedding_dim=32), Normalize()], device="cpu")
rng = np.random.default_rng(0)
titles = [" ".join(f"w{word}" for word in rng.choice(200, 4, replace=False)) for _ in range(400)]
whole, cut, scaled = model.encode(titles), model.encode(titles, truncate_dim=8), model.encode(titles, truncate_dim=8, normalize_embeddings=True)


def lengths(vectors: np.ndarray) -> tuple[float, float]:
    sizes = np.linalg.norm(vectors, axis=1)
    return float(sizes.min()), float(sizes.max())


def themselves(scores: np.ndarray) -> float:
    return float((scores.argmax(1) == np.arange(len(titles))).mean())


low, high = lengths(cut)
cosine, product, right = themselves(model.similarity(cut, cut).numpy()), themselves(cut @ cut.T), themselves(scaled @ scaled.T)
words = ("below 0.4" if low < 0.4 else low, "above 0.7" if high > 0.7 else high, "below 0.6" if product < 0.6 else product)
print("lengths: whole {:.2f} to {:.2f}, ".format(*lengths(whole)) + f"cut {words[0]} to {words[1]}; titles that find themselves first: cosine {cosine}, product {words[2]}")
print("with normalize_embeddings=True: lengths {:.2f} to {:.2f}, ".format(*lengths(scaled)) + f"product {right}")
assert lengths(whole)[0] > 0.999 and low < 0.4 and cosine == right == 1 and product < 0.7
END
echo "as found: sentence-transformers-cut-vectors-lose-their-length"
