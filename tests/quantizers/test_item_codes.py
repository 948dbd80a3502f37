"""Codes that come from items, not from vectors: the controls of How to Index Item IDs, and concat."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.quantizers import ItemContext, build_quantizer
from genrec.quantizers.item_table import digits, numbers_of


def context(n=200, train=None, first=0, **fields):
    ids = [f"i{row:04d}" for row in range(first, first + n)]
    return ItemContext(ids, Catalog.from_frame(pl.DataFrame({"item_id": ids, **fields})), train)


def fit(settings, items, x=None):
    quantizer = build_quantizer(settings)
    x = np.zeros((len(items.item_ids), 2), dtype=np.float32) if x is None else x
    quantizer.fit(x, seed=0, items=items)
    return quantizer, quantizer.encode(x, items=items)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.data())
@settings(max_examples=40)
def test_digits_and_numbers_are_inverse(sizes, data):
    numbers = np.array(data.draw(st.lists(st.integers(0, int(np.prod(sizes)) - 1), min_size=1, max_size=20)))
    codes = digits(numbers, sizes)
    assert (codes < np.array(sizes)).all()
    assert (numbers_of(codes, sizes) == numbers).all()


def test_sequential_numbers_follow_the_training_users():
    train = Histories.from_lists([[7, 3, 7], [], [2, 3, 9]])
    items = context(12, train)
    quantizer, codes = fit({"name": "sequential", "levels": 2, "codebook_size": 4}, items)
    numbers = numbers_of(codes, (4, 4))
    assert numbers[[7, 3, 2, 9]].tolist() == [0, 1, 2, 3]
    assert numbers[[0, 1, 4, 5]].tolist() == [4, 5, 6, 7]
    assert sorted(numbers) == list(range(12))
    new = context(3, first=50)
    x = np.zeros((3, 2), dtype=np.float32)
    assert numbers_of(quantizer.place(x, items=new, published=codes), (4, 4)).tolist() == [12, 13, 14]
    assert numbers_of(quantizer.encode(x, items=new), (4, 4)).tolist() == [12, 13, 14]
    with pytest.raises(DataError, match="16 paths, too few for 17 items"):
        quantizer.place(np.zeros((5, 2), dtype=np.float32), items=context(5, first=50), published=codes)


def test_too_many_items_for_the_paths_name_the_remedy():
    with pytest.raises(DataError, match="more levels or a larger codebook_size"):
        fit({"name": "sequential", "levels": 1, "codebook_size": 4}, context(5, Histories.from_lists([[0, 1]])))
    with pytest.raises(DataError, match="too few for 5 items"):
        fit({"name": "atomic", "capacity": 4}, context(5))
    with pytest.raises(DataError, match="none were given"):
        fit({"name": "sequential"}, context(5))


def test_atomic_codes_leave_room_to_grow():
    quantizer, codes = fit({"name": "atomic"}, context(100))
    assert quantizer.codebook_sizes == (256,)
    assert codes[:, 0].tolist() == list(range(100))
    more = quantizer.place(np.zeros((2, 2), dtype=np.float32), items=context(2, first=500), published=codes)
    assert more.tolist() == [[100], [101]]


def test_category_codes_are_children_by_name():
    paths = [["Beauty > Hair > Oils"], ["Beauty > Skin"], ["Beauty > Hair > Combs"], [""], ["Beauty > Hair"]]
    items = context(5, categories=paths)
    quantizer, codes = fit({"name": "category-path", "levels": 2, "codebook_size": 4}, items)
    assert codes.tolist() == [[1, 2], [2, 0], [1, 1], [0, 0], [1, 0]]
    new = context(3, first=9, categories=[["Beauty > Hair > Wigs"], ["Toys > Hair"], ["Beauty > Skin > Face"]])
    assert quantizer.encode(np.zeros((3, 2), dtype=np.float32), items=new).tolist() == [[1, 0], [0, 0], [2, 0]]
    lists = context(2, kind=["b", "a"])
    assert fit({"name": "category-path", "levels": 1, "field": "kind"}, lists)[1].tolist() == [[2], [1]]


def test_wrong_category_fields_name_the_remedy():
    with pytest.raises(DataError, match="no field 'categories'"):
        fit({"name": "category-path"}, context(2, kind=["a", "b"]))
    with pytest.raises(DataError, match="No item has anything"):
        fit({"name": "category-path"}, context(2, categories=[[""], [""]]))
    with pytest.raises(DataError, match="has 9 children") as error:
        fit({"name": "category-path", "codebook_size": 9}, context(9, categories=[[f"k{n}"] for n in range(9)]))
    assert "Raise quantizer.codebook_size" in str(error.value)


def kinds(n=200, users=300, seed=0):
    """Histories that stay within one of four kinds (position modulo 4)."""
    rng = np.random.default_rng(seed)
    return Histories.from_lists([(4 * rng.integers(0, n // 4, 6) + user % 4).tolist() for user in range(users)])


def test_spectral_codes_find_what_is_bought_together():
    items = context(200, kinds())
    x = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    quantizer, codes = fit({"name": "spectral", "levels": 2, "codebook_size": 4, "smallest": 10}, items, x)
    groups = [set(codes[kind::4, 0].tolist()) for kind in range(4)]
    assert all(len(group) == 1 for group in groups)
    assert len(set.union(*groups)) == 4
    assert len(np.unique(codes, axis=0)) > 8
    assert quantizer.encode(x[:2], items=context(2, first=900)).shape == (2, 2)


def test_spectral_codes_put_unseen_items_beside_their_like():
    train = Histories.from_lists(
        [[a, b] for start in (0, 10) for a in range(start, start + 9) for b in range(start, a)]
    )
    x = np.zeros((20, 2), dtype=np.float32)
    x[:10], x[10:] = [1, 0], [0, 1]
    quantizer, codes = fit({"name": "spectral", "levels": 1, "codebook_size": 2, "smallest": 1}, context(20, train), x)
    assert len(set(codes[:10, 0].tolist())) == len(set(codes[10:, 0].tolist())) == 1
    assert codes[0, 0] != codes[10, 0]
    assert (quantizer.encode(x[[0, 10]], items=context(2, first=90)) == codes[[0, 10]]).all()


def test_spectral_codes_need_pairs():
    with pytest.raises(DataError, match="two different items"):
        fit({"name": "spectral"}, context(3, Histories.from_lists([[0], [1, 1]])))


def test_concat_puts_text_codes_before_collaborative_codes():
    items = context(200, kinds(), title=[f"{('red', 'blue')[n % 2]} thing {n}" for n in range(200)])
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    text = {"name": "rq-kmeans", "levels": 2, "codebook_size": 8}
    both = {"quantizer": {"name": "rq-kmeans", "levels": 1, "codebook_size": 4}}
    settings = {
        "name": "concat",
        "parts": [{"quantizer": text}, {**both, "encoder": {"name": "cooccurrence", "dim": 4}}],
    }
    quantizer, codes = fit(settings, items, x)
    assert quantizer.codebook_sizes == (8, 8, 4)
    assert (codes[:, :2] == fit(text, items, x)[1]).all()
    assert [len(set(codes[kind::4, 2].tolist())) for kind in range(4)] == [1, 1, 1, 1]
    again = build_quantizer(settings)
    again.load_state(*quantizer.state())
    assert (again.encode(x, items=items) == codes).all()


def test_hybrid_codes_are_unique_by_their_atomic_part():
    items = context(50, kinds(48))
    settings = {
        "name": "concat",
        "parts": [
            {"quantizer": {"name": "spectral", "levels": 1, "codebook_size": 4}},
            {"quantizer": {"name": "atomic"}},
        ],
    }
    quantizer, codes = fit(settings, items)
    assert len(np.unique(codes[:, 1])) == 50
    assert quantizer.codebook_sizes == quantizer.fitted_sizes(quantizer.state()[1]) == (4, 128)
    new = context(2, first=70)
    more = quantizer.place(np.zeros((2, 2), dtype=np.float32), items=new, published=codes)
    assert more[:, 1].tolist() == [50, 51]


def test_wrong_parts_are_refused():
    part = {"quantizer": {"name": "random"}}
    with pytest.raises(ConfigError, match="'concat' itself"):
        build_quantizer({"name": "concat", "parts": [{"quantizer": {"name": "concat", "parts": [part]}}]})
    with pytest.raises(ConfigError, match="parts"):
        build_quantizer({"name": "concat"})
    with pytest.raises(ConfigError, match="Did you mean 'random'"):
        build_quantizer({"name": "concat", "parts": [{"quantizer": {"name": "randm"}}]})
