import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.disambiguation import QuantizedItems, build_disambiguation
from genrec.errors import ConfigError, DataError
from genrec.quantizers.random import RandomCodes


def items_of(codes, popularity=None, size=5, first=0):
    codes = np.asarray(codes, dtype=np.int32)
    ids = np.array([f"i{n:04d}" for n in range(first, first + len(codes))], dtype=object)
    vectors = np.zeros((len(codes), 2), dtype=np.float32)
    chosen = None if popularity is None else np.asarray(popularity)
    return QuantizedItems(ids, codes, (size,) * codes.shape[1], vectors, RandomCodes(), chosen)


code_tables = st.integers(1, 3).flatmap(
    lambda levels: st.lists(st.lists(st.integers(0, 4), min_size=levels, max_size=levels), min_size=1, max_size=60)
)


def unique(paths):
    return len(np.unique(paths, axis=0)) == len(paths)


@given(code_tables, st.data())
@settings(deadline=None, max_examples=60)
def test_suffix_makes_paths_unique_and_keeps_published_ones(codes, data):
    cut = data.draw(st.integers(1, len(codes)))
    rule = build_disambiguation({"name": "suffix", "capacity": 64})
    before = items_of(codes[:cut])
    rule.fit(before)
    published = rule.resolve(before)
    sizes = rule.codebook_sizes(before.codebook_sizes)
    assert unique(published)
    assert (published[:, :-1] == before.codes).all()
    if cut == len(codes):
        return
    added = rule.resolve(items_of(codes[cut:], first=cut), published)
    together = np.concatenate([published, added])
    assert unique(together)
    assert (together < np.array(sizes)).all()
    assert (together[:, :-1] == codes).all()


@given(code_tables)
@settings(deadline=None, max_examples=60)
def test_suffix_counts_each_group_from_zero(codes):
    rule = build_disambiguation({"name": "suffix"})
    items = items_of(codes)
    rule.fit(items)
    paths = rule.resolve(items)
    for path in np.unique(items.codes, axis=0):
        rows = (items.codes == path).all(axis=1)
        assert paths[rows, -1].tolist() == list(range(rows.sum()))  # rows are in the order of ids


def test_suffix_goes_by_popularity_then_id():
    codes, popularity = [[0], [0], [1], [0], [0]], [3, 9, 1, 3, 20]
    rule = build_disambiguation({"name": "suffix"})
    rule.fit(items_of(codes, popularity))
    assert rule.resolve(items_of(codes, popularity))[:, 1].tolist() == [2, 1, 0, 3, 0]
    by_id = build_disambiguation({"name": "suffix", "order": "id"})
    by_id.fit(items_of(codes, popularity))
    assert by_id.resolve(items_of(codes, popularity))[:, 1].tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(("largest", "capacity"), [(1, 16), (8, 16), (9, 32), (100, 256), (128, 256), (129, 512)])
def test_suffix_leaves_room_to_grow(largest, capacity):
    items = items_of([[0]] * largest)
    rule = build_disambiguation({"name": "suffix"})
    rule.fit(items)
    assert rule.codebook_sizes((5,)) == (5, capacity)
    again = build_disambiguation({"name": "suffix"})
    again.load_state(json.loads(json.dumps(rule.state())))
    assert again.codebook_sizes((5,)) == (5, capacity)


def test_more_duplicates_than_the_level_holds_name_the_remedy():
    rule = build_disambiguation({"name": "suffix", "capacity": 4})
    with pytest.raises(DataError, match="5 items share one code path") as error:
        rule.fit(items_of([[0]] * 5))
    assert "disambiguation.capacity" in str(error.value)
    assert "more quantizer levels" in str(error.value).replace("\n", " ")


def test_a_full_group_refuses_new_items_and_names_the_remedy():
    rule = build_disambiguation({"name": "suffix", "capacity": 2})
    rule.fit(items_of([[0], [0], [1]]))
    published = rule.resolve(items_of([[0], [0], [1]]))
    assert rule.resolve(items_of([[1]], first=3), published).tolist() == [[1, 1]]
    with pytest.raises(DataError, match="full") as error:
        rule.resolve(items_of([[2], [0]], first=3), published)
    assert "i0004" in str(error.value)
    assert "Build the index again with a larger disambiguation.capacity" in str(error.value)


def test_unknown_rules_and_settings_suggest_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'suffix'"):
        build_disambiguation({"name": "sufix"})
    with pytest.raises(ConfigError, match="Did you mean 'capacity'"):
        build_disambiguation({"name": "suffix", "capacty": 3})
    with pytest.raises(ConfigError, match="no name"):
        build_disambiguation({})
