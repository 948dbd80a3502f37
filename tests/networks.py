"""One tiny recommender of every kind of network over codes."""

from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp
import torch
from support import QWEN, TINY_BACKBONES

from genrec.generative.config import TrainConfig
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import build_model
from genrec.trie import Trie

SIZES, N, DIM = (4, 5, 6), 60, 12
AUTOREGRESSIVE = {
    "head": "autoregressive",
    "attention": "causal",
    "auxiliary": False,
    "pooling": 0,
    "loss": "slots",
}
NETWORKS = {
    **{name: {"backbone": backbone} for name, backbone in TINY_BACKBONES.items()},
    "recgpt": {"backbone": QWEN, "slots": 3, "vector_dim": DIM},
    "recgpt-suffix": {"backbone": QWEN, "slots": 2, "vector_dim": DIM},
    "recgpt-rows": {"backbone": QWEN, "slots": 3, "scores": "rows", "loss": "slots", "pooling": 0, "vector_dim": 0},
    "recgpt-autoregressive": {"backbone": QWEN, "slots": 3, "vector_dim": DIM, **AUTOREGRESSIVE},
}

HISTORIES = [["i3", "i9", "i15", "i2"], ["i20"], [], ["i50", "i4", "i5", "i6", "i7", "i8"]]
IDS = [f"i{n}" for n in range(N)]
REQUESTS = {
    "seen": {},
    "all": {"exclude_seen": False},
    "lists": {"allow_each": [IDS[:20], None, ["i7"], IDS[10:55]], "deny": ["i12", "i13"]},
    "allow": {"allow": IDS[::2]},
}
"""Of requests to a tiny recommender: what :data:`HISTORIES` may get."""


class TinyIndex(SimpleNamespace):
    """What networks ask of an index."""

    def __len__(self):
        return len(self.codes)


def tiny_index():
    """Sixty items ``i0`` to ``i59`` with three codes each."""
    rng = np.random.default_rng(0)
    codes = np.argwhere(np.ones(SIZES))[rng.permutation(120)[:N]].astype(np.int32)
    vectors = rng.normal(size=(N, DIM)).astype(np.float32)
    return TinyIndex(
        codes=codes,
        codebook_sizes=SIZES,
        item_ids=np.array([f"i{n}" for n in range(N)], dtype=object),
        trie=Trie.from_codes(codes, SIZES),
        vectors=lambda: vectors,
        word_vectors=sp.csr_array(sp.random(N, 25, 0.2, rng=rng, dtype=np.float32)),
        fingerprint="one",
    )


def network(name):
    """With random weights that make rankings mean something, in training mode."""
    torch.manual_seed(0)
    model = build_model(name.split("-")[0] if name.startswith("recgpt") else name, SIZES, **NETWORKS[name])
    with torch.no_grad():
        for parameter, weight in model.named_parameters():
            if parameter.endswith("output_table.weight"):
                weight.mul_(8 if name == "seq2seq" else 30)
            elif parameter in ("output", "slot_embedding"):
                weight.normal_(std=0.5)
    return model.train()


def recommender(name):
    """A recommender around it."""
    model = network(name)
    config = TrainConfig.model_validate({"model": {"item_vectors": bool(NETWORKS[name].get("vector_dim"))}})
    return GenerativeRecommender(model, tiny_index(), config)
