import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.baselines.ranking import TopK, tie_order
from genrec.data.histories import Histories


def brute_force(scores, k, places, seen, allowed):
    """One user at a time, by sorting everything."""
    n_items = len(places)
    items = np.full((len(scores), k), -1)
    for user, row in enumerate(scores):
        usable = [
            item
            for item in range(n_items)
            if row[item] > -np.inf and item not in seen[user] and (allowed is None or allowed[item])
        ]
        best = sorted(usable, key=lambda item: (-row[item], places[item]))[:k]
        items[user, : len(best)] = best
    return items


@st.composite
def problems(draw):
    n_users, n_items = draw(st.integers(0, 6)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(-1, 3, size=(n_users, n_items)).astype(np.float32)  # many ties
    stored = rng.random((n_users, n_items)) < draw(st.floats(0, 1))
    seen = Histories.from_lists([rng.integers(0, n_items, rng.integers(0, 5)).tolist() for _ in range(n_users)])
    allowed = rng.random(n_items) < 0.7 if draw(st.booleans()) else None
    background = draw(st.sampled_from(["none", "zero", "own"]))
    backgrounds = {
        "none": None,
        "zero": np.zeros(n_items, np.float32),
        "own": np.where(rng.random(n_items) < 0.2, -np.inf, rng.integers(-1, 3, n_items)).astype(np.float32),
    }
    k = draw(st.integers(1, n_items))
    return k, tie_order(rng.integers(0, 3, n_items)), scores, stored, seen, allowed, backgrounds[background]


@pytest.mark.parametrize("many", [0, 8])
@settings(deadline=None, max_examples=100)
@given(problem=problems())
def test_sparse_and_dense_top_k_equal_sorting_everything(many, problem):
    mock = pytest.MonkeyPatch()
    mock.setattr("genrec.baselines.ranking._MANY", many)
    try:
        check_top_k(problem)
    finally:
        mock.undo()


def check_top_k(problem):
    k, places, scores, stored, seen, allowed, background = problem
    rows, columns = np.nonzero(stored)
    sparse = sp.csr_array((scores[rows, columns], (rows, columns)), shape=scores.shape)
    rest = -np.inf if background is None else np.broadcast_to(background, scores.shape)
    full = np.where(stored, scores, rest).astype(np.float32)
    expected = brute_force(full, k, places, seen, allowed)
    for result in (TopK(k, places, background, allowed)(sparse, seen), TopK(k, places, None, allowed)(full, seen)):
        np.testing.assert_array_equal(result[0], expected)
        filled = result[0] >= 0
        np.testing.assert_array_equal(result[1] == -np.inf, ~filled)
        at = np.nonzero(filled)[0]
        np.testing.assert_array_equal(result[1][filled], full[at, result[0][filled]])


def test_long_sparse_rows_are_cut_exactly():
    rng = np.random.default_rng(0)
    scores = np.where(rng.random((200, 500)) < 0.5, rng.integers(1, 20, (200, 500)), 0).astype(np.float32)
    places = tie_order(rng.integers(0, 50, 500))
    nothing_seen = [set()] * 200
    items, _ = TopK(20, places, np.zeros(500, np.float32))(sp.csr_array(scores))
    np.testing.assert_array_equal(items, brute_force(scores, 20, places, nothing_seen, None))


def test_nan_is_never_recommended():
    items, _ = TopK(2, np.arange(2))(np.array([[np.nan, 1.0]], dtype=np.float32))
    assert items.tolist() == [[1, -1]]


@pytest.mark.parametrize("popularity", [[0, 0, 0], [3, 3, 1]])
def test_equal_popularity_keeps_the_order_of_the_catalogue(popularity):
    assert tie_order(np.array(popularity)).tolist() == [0, 1, 2]
