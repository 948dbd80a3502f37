import numpy as np
import pytest

from genrec.baselines import FitInputs, LinearProbe, TextNeighbours
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.errors import DataError

N_ITEMS = 24
IDS = [f"i{n}" for n in range(N_ITEMS)]


def shop(seed=0, users=150):
    """Three shelves: the first two coordinates of a vector say which one, the others are loud noise."""
    rng = np.random.default_rng(seed)
    shelf = np.arange(N_ITEMS) % 3
    angles = 2 * np.pi * shelf / 3
    vectors = np.c_[np.cos(angles), np.sin(angles), rng.normal(size=(N_ITEMS, 6))].astype(np.float32)
    sequences = [rng.permutation(np.flatnonzero(shelf == rng.integers(3)))[:6].tolist() for _ in range(users)]
    return leave_one_out(Histories.from_lists(sequences)), vectors


def test_it_learns_which_directions_matter():
    split, vectors = shop()
    probe = LinearProbe(dim=8, epochs=10, patience=10, last=None, learning_rate=0.1, batch_size=64, negatives=64)
    probe.fit(split.train, IDS, FitInputs(vectors=vectors, validation=split.validation))
    untrained = TextNeighbours(last=None).fit(split.train, IDS, FitInputs(vectors=vectors))
    # Nobody can know which of the three items left on a shelf comes next: 0.71 is the best that can be expected.
    assert probe.ndcg(split.test) > untrained.ndcg(split.test) + 0.06


def test_it_starts_from_the_inner_products_of_the_vectors():
    split, vectors = shop()
    probe = LinearProbe(dim=8, epochs=1, learning_rate=1e-12, last=2).fit(split.train, IDS, FitInputs(vectors=vectors))
    expected = vectors @ vectors.T
    np.testing.assert_allclose(probe._mapped @ probe._mapped.T, expected, atol=1e-4)


def test_pairs_are_every_item_with_the_newest_before_it():
    split, _ = shop(users=20)
    train = split.train
    probe = LinearProbe(last=2, batch_size=7, negatives=3)
    probe.item_ids = np.array(IDS, dtype=object)
    rows = np.setdiff1d(np.arange(len(train.items)), train.offsets[:-1])
    found = []
    for context, offsets, targets, negatives in probe._batches(train, rows, 0, 0):
        parts = np.split(context, offsets[1:])
        found += [(tuple(part.tolist()), int(target)) for part, target in zip(parts, targets, strict=True)]
        assert negatives.shape == (3,)
    expected = [
        (tuple(items[max(0, at - 2) : at].tolist()), int(items[at])) for items in train for at in range(1, len(items))
    ]
    assert sorted(found) == sorted(expected)


def test_new_items_are_recommended_by_their_vector():
    split, vectors = shop()
    seen = split.train.take(split.train.items != 23)
    probe = LinearProbe(dim=8, epochs=4, last=None, learning_rate=0.1, batch_size=64, negatives=64)
    probe.fit(seen, IDS, FitInputs(vectors=vectors))
    lists = probe.recommend([["i2", "i5", "i8"]], 8)
    assert probe.popularity[23] == 0
    assert "i23" in lists.item_ids[0]


def test_histories_of_one_item_teach_nothing():
    with pytest.raises(DataError, match="two items"):
        LinearProbe().fit(Histories.from_lists([[1], [2]]), IDS[:3], FitInputs(vectors=np.eye(3, dtype=np.float32)))
