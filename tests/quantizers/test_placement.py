import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from genrec.quantizers import build_quantizer
from genrec.quantizers.assignment import assign, spread
from genrec.quantizers.placement import spread_last_level

tables = st.tuples(st.integers(1, 30), st.integers(1, 8), st.integers(0, 5)).map(
    lambda t: np.random.default_rng(t).integers(-4, 5, t[:2]).astype(np.float32)
)


@given(tables, st.data())
@settings(max_examples=60)
def test_nothing_gets_more_than_it_has_room_for(scores, data):
    n, k = scores.shape
    room = np.array(data.draw(st.lists(st.integers(0, 12), min_size=k, max_size=k)))
    for method in ("exact", "sinkhorn"):
        chosen = assign(scores, room, method)
        counts = np.bincount(chosen[chosen >= 0], minlength=k)
        assert (counts <= room).all()
        assert (chosen >= 0).sum() == min(n, room.sum())


@given(tables)
@settings(max_examples=40)
def test_the_exact_assignment_is_the_best_and_the_quick_one_is_near(scores):
    n, k = scores.shape
    room = np.full(k, -(-n // k))
    rows = np.arange(n)
    best = scores[:, np.repeat(np.arange(k), room)]
    best = best[linear_sum_assignment(best, maximize=True)].sum()
    assert scores[rows, assign(scores, room)].sum() == pytest.approx(best)
    quick = scores[rows, spread(scores, room)].sum()
    assert quick <= best + 1e-4
    assert best - quick <= 0.5 * (best - n * scores.min()) + 1e-6


def test_the_quick_assignment_loses_little_on_real_looking_scores():
    rng = np.random.default_rng(0)
    x, centroids = rng.normal(size=(600, 8)), rng.normal(size=(20, 8))
    scores = -((x[:, None] - centroids[None]) ** 2).sum(axis=2).astype(np.float32)
    room, rows = np.full(20, 30), np.arange(600)
    best, quick = scores[rows, assign(scores, room)].sum(), scores[rows, spread(scores, room)].sum()
    free, chance = scores.max(axis=1).sum(), scores.mean() * 600
    assert free > best >= quick > best - 0.05 * (best - chance)


def nothing_costs(rows):
    return np.zeros((len(rows), 4), dtype=np.float32)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=30), st.integers(0, 12))
@settings(max_examples=60)
def test_last_codes_are_distinct_where_there_is_room(paths, cut):
    codes = np.array(paths, dtype=np.int32)
    published = spread_last_level(codes[:cut], (3, 4), nothing_costs) if cut else codes[:0]
    placed = spread_last_level(codes[cut:], (3, 4), nothing_costs, published)
    assert (placed[:, 0] == codes[cut:, 0]).all()
    both = np.concatenate([published, placed])
    for code in range(3):
        last = both[both[:, 0] == code, 1]
        assert len(np.unique(last)) == min(4, len(last))
        if len(published) == 0 and len(last):
            assert np.bincount(last, minlength=4).max() <= -(-len(last) // 4)


def test_a_group_without_conflicts_keeps_its_codes():
    codes = np.array([[0, 3], [0, 1], [1, 1]], dtype=np.int32)
    assert (spread_last_level(codes, (2, 4), nothing_costs) == codes).all()
    only = spread_last_level(np.zeros((3, 1), dtype=np.int32), (4,), nothing_costs)
    assert sorted(only[:, 0].tolist()) == [0, 1, 2]


@pytest.mark.parametrize("name", ["rq-kmeans", "rq-vae", "residual-fsq", "product", "parallel-vq"])
def test_uniform_last_level_tells_equal_items_apart(name):
    sizes = {"slots": 2} if name in ("product", "parallel-vq") else {"levels": 2}
    sizes |= {"steps": [4, 4]} if name == "residual-fsq" else {"codebook_size": 16}
    trained = {} if name in ("rq-kmeans", "product") else {"epochs": 2, "hidden": [16]}
    x = np.repeat(np.random.default_rng(0).normal(size=(12, 6)), 6, axis=0).astype(np.float32)
    quantizer = build_quantizer({"name": name, "last_level": "uniform", **sizes, **trained})
    quantizer.fit(x, seed=0)
    placed, own = quantizer.place(x), quantizer.encode(x)
    groups = np.unique(own[:, 0], return_counts=True)[1]
    assert len(np.unique(placed, axis=0)) == np.minimum(groups, 16).sum()
    assert (placed[:, 0] == own[:, 0]).all()
    more = quantizer.place(x[:3], published=placed)
    assert (more[:, 0] == own[:3, 0]).all()


def test_the_assignment_costs_the_least():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    quantizer = build_quantizer({"name": "rq-kmeans", "levels": 2, "codebook_size": 8, "last_level": "uniform"})
    quantizer.fit(x, seed=0)
    placed, own = quantizer.place(x), quantizer.encode(x)
    assert quantizer.moves
    assert (placed != own).any()
    books = quantizer.codebooks
    for code in np.unique(own[:, 0]):
        rows = np.flatnonzero(own[:, 0] == code)
        if len(rows) > 8:
            continue
        costs = ((x[rows, None] - books[0][code] - books[1][None]) ** 2).sum(axis=2)
        lost = costs[np.arange(len(rows)), placed[rows, 1]].sum()
        assert lost == pytest.approx(costs[linear_sum_assignment(costs)].sum(), rel=1e-4)


@pytest.mark.parametrize("last_level", ["uniform", "nearest"])
def test_all_items_are_encoded_once_and_placed_as_otherwise(monkeypatch, last_level):
    x = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    quantizer = build_quantizer({"name": "rq-kmeans", "levels": 2, "codebook_size": 8, "last_level": last_level})
    quantizer.fit(x, seed=0)
    placed, nearest = quantizer.place(x), quantizer.encode(x)
    calls, encode = [], quantizer.encode
    monkeypatch.setattr(quantizer, "encode", lambda *given, **options: calls.append(1) or encode(*given, **options))
    found = quantizer.place_all(x)
    assert len(calls) == 1
    assert np.array_equal(found[0], placed)
    assert np.array_equal(found[1], nearest)
    assert (last_level == "uniform") == (not np.array_equal(placed, nearest))
