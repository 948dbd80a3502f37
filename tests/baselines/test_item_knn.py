import numpy as np
import pytest

from genrec.baselines import ItemKNN
from genrec.data.histories import Histories

N_ITEMS = 12
IDS = [f"i{n}" for n in range(N_ITEMS)]


def histories(seed=0, users=25):
    rng = np.random.default_rng(seed)
    return Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(1, 8)).tolist() for _ in range(users)])


def brute_force(train, read, neighbours, shrinkage, popularity):
    users = [set(sequence.tolist()) for sequence in train]
    count = np.array([sum(item in user for user in users) for item in range(N_ITEMS)])
    similar = np.zeros((N_ITEMS, N_ITEMS))
    for i in range(N_ITEMS):
        for j in range(N_ITEMS):
            both = sum(i in user and j in user for user in users)
            if i != j and both:
                similar[i, j] = both / (np.sqrt(count[i] * count[j]) + shrinkage)
        near = sorted(range(N_ITEMS), key=lambda j: (-similar[i, j], -popularity[j], j))
        similar[i, near[neighbours:]] = 0.0
    return np.array([similar[sorted(set(history.tolist()))].sum(axis=0) for history in read])


@pytest.mark.parametrize(("neighbours", "shrinkage", "last"), [(2, 0.0, None), (5, 3.0, 2), (100, 20.0, 1)])
def test_scores_follow_their_definition(neighbours, shrinkage, last, monkeypatch):
    monkeypatch.setattr("genrec.baselines.item_knn._BLOCK", 5)
    train, cases = histories(), histories(1)
    knn = ItemKNN(neighbours=neighbours, shrinkage=shrinkage, last=last).fit(train, IDS)
    read = cases if last is None else cases.last(last)
    expected = brute_force(train, read, neighbours, shrinkage, knn.popularity)
    np.testing.assert_allclose(knn.score(cases).toarray(), expected, rtol=1e-5)


def test_users_who_share_nothing_get_what_is_popular():
    knn = ItemKNN().fit(Histories.from_lists([[0, 1], [1], [2]]), IDS[:4])
    assert knn.recommend([["i3"]], 3).item_ids == [["i1", "i0", "i2"]]
