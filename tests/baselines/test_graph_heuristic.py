from itertools import pairwise

import numpy as np
import pytest

from genrec.baselines import FitInputs, GraphHeuristic
from genrec.data.histories import Histories

N_ITEMS = 40
IDS = [f"i{n}" for n in range(N_ITEMS)]
VECTORS = np.random.default_rng(3).normal(size=(N_ITEMS, 5)).astype(np.float32)
PLANS = {"tgh-1": [(1, 1, 7), (1, 2, 2), (1, 3, 1)], "tgh-2": [(1, 1, 5), (1, 2, 1), (2, 1, 3), (2, 2, 1)]}


def walks(seed, users, longest=9):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(1, longest)).tolist() for _ in range(users)])


def by_hand(train, history, variant, k, allowed, popularity):
    """The published description as loops, with places left empty filled by popularity."""
    count = np.zeros((N_ITEMS, N_ITEMS))
    for sequence in train:
        for i, j in pairwise(sequence):
            count[i, j] += i != j
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)

    def ring(anchor, depth):
        known, reached = {anchor}, {anchor}
        for _ in range(depth):
            reached = {int(j) for i in reached for j in np.flatnonzero(count[i])} - known
            known |= reached
        scores = {j: float(unit[anchor] @ unit[j]) for j in reached}
        if depth == 1:
            most = np.log1p(count[anchor]).max()
            scores = {j: s + 0.5 * np.log1p(count[anchor, j]) / most for j, s in scores.items()}
        return sorted(scores, key=lambda j: -scores[j])

    usable = [j for j in range(N_ITEMS) if j not in history and allowed[j]]
    popular = sorted(usable, key=lambda j: (-popularity[j], j))
    result = []
    while len(result) < min(k, len(usable)):
        before = len(result)
        for age, depth, places in PLANS[variant]:
            if len(history) >= age:
                fresh = [j for j in ring(history[-age], depth) if j in usable and j not in result]
                result += fresh[:places]
        result += [j for j in popular if j not in result][: 10 - (len(result) - before)]
    return result[:k]


@pytest.mark.parametrize("variant", ["tgh-1", "tgh-2"])
@pytest.mark.parametrize(("users", "k"), [(15, 10), (60, 25)])
def test_lists_follow_the_published_budgets(variant, users, k):
    train, cases = walks(0, users), walks(1, 20, 5)
    allowed = np.random.default_rng(4).random(N_ITEMS) < 0.9
    baseline = GraphHeuristic(variant=variant).fit(train, IDS, FitInputs(vectors=VECTORS))
    lists = baseline.recommend(cases, k, allow=[item for item, ok in zip(IDS, allowed, strict=True) if ok])
    for user, history in enumerate(cases):
        expected = by_hand(train, history.tolist(), variant, k, allowed, baseline.popularity)
        assert [IDS[j] for j in expected] == lists.item_ids[user]


def test_a_catalogue_smaller_than_the_list():
    baseline = GraphHeuristic().fit(Histories.from_lists([[0, 1, 2]]), IDS[:3], FitInputs(vectors=VECTORS[:3]))
    assert baseline.recommend([["i0"]], 10).item_ids == [["i1", "i2"]]
    assert baseline.recommend([["i0"]], 10, exclude_seen=False).item_ids == [["i1", "i2", "i0"]]


def test_without_any_pair_the_most_popular_come():
    baseline = GraphHeuristic(variant="tgh-2").fit(
        Histories.from_lists([[2], [2], [1]]), IDS[:4], FitInputs(vectors=VECTORS[:4])
    )
    assert baseline.recommend([["i3"]], 3).item_ids == [["i2", "i1", "i0"]]
