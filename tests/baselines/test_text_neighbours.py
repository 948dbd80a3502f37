import numpy as np
import pytest
from support import assert_equal_but_rounding

from genrec.baselines import FitInputs, TextNeighbours
from genrec.baselines.vectors import products
from genrec.data.histories import Histories

N_ITEMS = 15
IDS = [f"i{n}" for n in range(N_ITEMS)]


def vectors_of(n, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


VECTORS = vectors_of(N_ITEMS, 6) * np.random.default_rng(1).uniform(0.1, 5, (N_ITEMS, 1)).astype(np.float32)
CASES = Histories.from_lists([[1, 2, 3, 3], [4], [5, 6]])


@pytest.mark.parametrize("last", [1, 2, None])
def test_scores_are_cosines_to_the_mean_of_the_newest(last):
    baseline = TextNeighbours(last=last).fit(CASES, IDS, FitInputs(vectors=VECTORS))
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    for row, history in zip(baseline.score(CASES), CASES, strict=True):
        mean = unit[history if last is None else history[-last:]].mean(axis=0)
        np.testing.assert_allclose(row, unit @ mean / np.linalg.norm(mean), atol=1e-6)


def test_equal_vectors_tie_whatever_the_batch():
    vectors = np.repeat(vectors_of(1, 50), N_ITEMS, axis=0)
    baseline = TextNeighbours().fit(Histories.from_lists([[7, 7], [9]]), IDS, FitInputs(vectors=vectors))
    assert baseline.recommend([["i0"]] * 3, 3).item_ids == [["i7", "i9", "i1"]] * 3


def test_items_without_a_vector_come_after_what_is_alike():
    vectors = np.array([[1, 0], [0, 0], [1, 1], [-1, 0]], dtype=np.float32)
    baseline = TextNeighbours().fit(Histories.from_lists([[1, 1]]), IDS[:4], FitInputs(vectors=vectors))
    assert baseline.recommend([["i0"]], 3).item_ids == [["i2", "i1", "i3"]]


def test_products_do_not_depend_on_how_they_are_cut(monkeypatch):
    left, right = vectors_of(7, 40), vectors_of(90, 40, seed=1)
    whole = products(left, right)
    np.testing.assert_allclose(whole, left @ right.T, atol=1e-5)
    monkeypatch.setattr("genrec.baselines.vectors._CELLS", 400)
    assert_equal_but_rounding(products(left, right), whole)
    assert_equal_but_rounding(products(left[3:4], right)[0], whole[3])
