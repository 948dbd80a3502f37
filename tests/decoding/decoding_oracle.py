"""What the tests of decoding share: random catalogues, and a model whose scores of all items are known."""

import numpy as np
import torch

SIZES = (4, 5, 6)


def catalogue(n, sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    every = np.stack(np.meshgrid(*[np.arange(size) for size in sizes], indexing="ij"), -1).reshape(-1, len(sizes))
    return every[np.sort(rng.permutation(len(every))[:n])][rng.permutation(n)].astype(np.int32)


class Table:
    """A predictor with independent random logits for every prefix; its exact item scores are known."""

    def __init__(self, users, sizes, seed):
        generator = torch.Generator().manual_seed(seed)
        self.sizes = sizes
        self.logits = [
            torch.randn(users, int(np.prod(sizes[:level])), size, generator=generator) * 2
            for level, size in enumerate(sizes)
        ]

    def prefill(self):
        return {"level": 0, "prefix": None}

    def step(self, state, codes=None, parents=None):
        level = state["level"]
        users = len(self.logits[0])
        if codes is None:
            state["prefix"] = torch.zeros(users, 1, dtype=torch.long)
        else:
            state["prefix"] = state["prefix"].gather(1, parents) * self.sizes[level - 1] + codes
        state["level"] += 1
        rows = state["prefix"][:, :, None].expand(-1, -1, self.sizes[level])
        return self.logits[level].gather(1, rows)

    def scores(self, items):
        total = np.zeros((len(self.logits[0]), len(items)))
        prefix = np.zeros(len(items), dtype=np.int64)
        for level, size in enumerate(self.sizes):
            log_probabilities = self.logits[level].log_softmax(-1).numpy()
            total += log_probabilities[:, prefix, items[:, level]]
            prefix = prefix * size + items[:, level]
        return total
