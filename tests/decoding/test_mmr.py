import numpy as np
import pytest
import torch

from genrec.decoding.mmr import maximal_marginal_relevance
from genrec.errors import ConfigError


def lists(users=4, n=12, seed=0):
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(30)[:n] for _ in range(users)])
    scores = -np.sort(rng.random((users, n)), axis=1).astype(np.float32)
    items[1, 8:], scores[1, 8:] = -1, -np.inf
    return torch.from_numpy(items), torch.from_numpy(scores), torch.from_numpy(rng.normal(size=(30, 5)))


def reference(items, scores, vectors, k, relevance):
    keep = items >= 0
    items, scores = items[keep], scores[keep]
    value = (scores - scores.min()) / (scores.max() - scores.min())
    unit = vectors[items] / np.linalg.norm(vectors[items], axis=1, keepdims=True)
    taken = []
    while len(taken) < min(k, len(items)):
        gains = [
            -np.inf
            if place in taken
            else relevance * value[place] - (1 - relevance) * max([unit[place] @ unit[other] for other in taken] + [0])
            for place in range(len(items))
        ]
        taken.append(int(np.argmax(gains)))
    return items[taken].tolist()


@pytest.mark.parametrize("relevance", [0.0, 0.3, 0.8])
def test_equals_a_slow_reference(relevance):
    items, scores, vectors = lists()
    found, gains = maximal_marginal_relevance(items, scores, vectors, 10, relevance=relevance)
    for user in range(4):
        expected = reference(items[user].numpy(), scores[user].numpy(), vectors.numpy(), 10, relevance)
        assert [item for item in found[user].tolist() if item >= 0] == expected
    assert found[1].tolist()[8:] == [-1, -1]
    finite = gains.masked_fill(found < 0, -1e9)
    assert (finite.diff(dim=1) <= 1e-6).all()


def test_only_relevance_keeps_the_order():
    items, scores, vectors = lists()
    found, _ = maximal_marginal_relevance(items, scores, vectors, 12, relevance=1.0)
    assert found.tolist() == items.tolist()
    with pytest.raises(ConfigError, match="relevance"):
        maximal_marginal_relevance(items, scores, vectors, 3, relevance=1.5)
