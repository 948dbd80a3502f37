#!/usr/bin/env bash
# With NO_DUPLICATES, sentence-transformers makes batches of one pair for a popular item, which teach nothing.
#
# Guess beforehand: the sampler spreads repeats over the epoch, and yields as many batches as its len says.
# Found: of 1,000 pairs, 200 share one popular item. The sampler's len is 32, but it yields 200 batches. A batch takes at most one
# of the 200, the others wait until the end, and then come alone: 174 batches hold one pair. The loss for in-batch
# negatives of such a batch is exactly 0, and so is its gradient.
# Why it matters: NO_DUPLICATES is what the documentation recommends for this loss, and purchases of few items make most of a
# log. A scheduler that trusts len stops long before the end; without that, most steps of an epoch are empty.
# Output seen:
#   len 32, batches 200, batches of one pair more than 150, loss of one pair 0.0
# Usage: bash findings/sentence-transformers-batches-of-one-pair.sh   (installs sentence-transformers==6.2.0 transformers==5.23.0 datasets==5.2.0 torch==2.13.0 numpy==2.3.5 in a temporary folder; exits with 1 if the behaviour has changed)
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check sentence-transformers==6.2.0 transformers==5.23.0 datasets==5.2.0 torch==2.13.0 numpy==2.3.5
env/bin/python - <<'END'
import warnings

warnings.filterwarnings("ignore")
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sampler import NoDuplicatesBatchSampler
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

pairs = Dataset.from_list([{"user": f"user {n}", "item": "bestseller" if n % 5 == 0 else f"item {n}"} for n in range(1000)])
sampler = NoDuplicatesBatchSampler(pairs, batch_size=32, drop_last=False, generator=torch.Generator(), seed=0)
batches = list(sampler)
single = sum(len(batch) == 1 for batch in batches)
assert sorted(row for batch in batches for row in batch) == list(range(1000))
words = Tokenizer(models.WordLevel({"[UNK]": 0, "user": 1, "bestseller": 2, "7": 3}, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
torch.manual_seed(0)
model = SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=8)], device="cpu")
loss = MultipleNegativesRankingLoss(model)([model.preprocess([text]) for text in ("user 7", "bestseller")], None)
loss.backward()
assert float(model[0].embedding.weight.grad.abs().max()) == 0.0
print(f"len {len(sampler)}, batches {len(batches)}, batches of one pair {single}, loss of one pair {abs(float(loss))}")
assert len(sampler) == 32 and len(batches) == 200 and single > 150 and float(loss) == 0.0
END
echo "as found: sentence-transformers-batches-of-one-pair"
