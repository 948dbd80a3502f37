import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import ArtifactError, DataError
from genrec.trie import Trie


@st.composite
def catalogues(draw):
    sizes = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 7, 256, 257, 40_000, 2**31 - 1]), min_size=1, max_size=5)))
    path = st.tuples(*[st.integers(0, size - 1) | st.integers(0, min(size - 1, 2)) for size in sizes])
    paths = draw(st.lists(path, min_size=1, max_size=40, unique=True))
    return np.array(paths, dtype=np.int32), sizes


def brute_force(codes):
    """Every live prefix with the items below it and the codes that may follow."""
    items, children = {}, {}
    for row, path in enumerate(codes.tolist()):
        for length in range(len(path) + 1):
            items.setdefault(tuple(path[:length]), []).append(row)
            if length < len(path):
                children.setdefault(tuple(path[:length]), set()).add(path[length])
    return items, children


@given(catalogues())
@settings(deadline=None, max_examples=60)
def test_equals_brute_force_dict(catalogue):
    codes, sizes = catalogue
    trie = Trie.from_codes(codes, sizes)
    items, children = brute_force(codes)
    for prefix, below in items.items():
        assert sorted(trie.items_under(prefix).tolist()) == below
        assert trie.children(prefix).tolist() == sorted(children.get(prefix, ()))
        if prefix:
            node = trie.node_of(prefix)
            assert trie.code[len(prefix) - 1][node] == prefix[-1]
            starts = trie.leaf_starts(len(prefix) - 1)
            assert trie.item[starts[node] : starts[node + 1]].tolist() == trie.items_under(prefix).tolist()
    assert trie.n_nodes == tuple(len({p for p in items if len(p) == n + 1}) for n in range(len(sizes)))


@given(catalogues())
@settings(deadline=None, max_examples=60)
def test_every_node_has_a_child_and_every_leaf_one_item(catalogue):
    codes, sizes = catalogue
    trie = Trie.from_codes(codes, sizes)
    for level, first in enumerate(trie.first_child):
        assert first[0] == 0
        assert first[-1] == trie.n_nodes[level + 1]
        assert (np.diff(first) >= 1).all()
    assert sorted(trie.item.tolist()) == list(range(len(codes)))
    assert trie.n_nodes[-1] == trie.n_items == len(codes)
    assert trie.max_branching == (len(np.unique(codes[:, 0])), *(int(np.diff(f).max()) for f in trie.first_child))


@given(catalogues(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_find_and_paths_are_inverse(catalogue, random):
    codes, sizes = catalogue
    trie = Trie.from_codes(codes, sizes)
    assert trie.find(codes).tolist() == list(range(len(codes)))
    assert (trie.paths() == codes[trie.item]).all()
    assert (trie.item[trie.leaf_of(np.arange(len(codes)))] == np.arange(len(codes))).all()
    known = set(map(tuple, codes.tolist()))
    probes = [[random.randrange(-1, min(size, 5) + 1) for size in sizes] for _ in range(20)]
    found = trie.find(probes)
    for probe, item in zip(probes, found.tolist(), strict=True):
        assert (item >= 0) == (tuple(probe) in known)


@given(catalogues(), st.data())
@settings(deadline=None, max_examples=60)
def test_restrict_equals_a_trie_of_the_rest(catalogue, data):
    codes, sizes = catalogue
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(codes), max_size=len(codes))))
    small = Trie.from_codes(codes, sizes).restrict(allowed)
    assert sorted(small.item.tolist()) == np.flatnonzero(allowed).tolist()
    assert (small.leaf_of(np.flatnonzero(~allowed)) == -1).all()
    assert (small.find(codes) == np.where(allowed, np.arange(len(codes)), -1)).all()
    if allowed.any():
        other = Trie.from_codes(codes[allowed], sizes, items=np.flatnonzero(allowed))
        assert all((a == b).all() for a, b in zip(small._arrays().values(), other._arrays().values(), strict=True))


@given(catalogues())
@settings(deadline=None, max_examples=60)
def test_row_order_does_not_matter(catalogue):
    codes, sizes = catalogue
    trie, turned = Trie.from_codes(codes, sizes), Trie.from_codes(codes[::-1], sizes)
    assert (trie.item == len(codes) - 1 - turned.item).all()
    assert all((a == b).all() for a, b in zip(trie.code, turned.code, strict=True))


def test_save_and_load_memory_mapped(tmp_path):
    codes = np.random.default_rng(0).permutation(4096)[:1000]
    trie = Trie.from_codes(np.stack([codes // 256, codes % 256], axis=1), (16, 256))
    trie.save(tmp_path / "trie")
    again = Trie.load(tmp_path / "trie")
    assert isinstance(again.item, np.memmap)
    assert (again.paths() == trie.paths()).all()
    assert (again.items_under([3]) == trie.items_under([3])).all()
    file = tmp_path / "trie" / "item.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="damaged"):
        Trie.load(tmp_path / "trie")


def test_a_large_catalogue_is_small():
    rng = np.random.default_rng(0)
    codes = np.unique(rng.integers(0, 256, (100_000, 4), dtype=np.int32), axis=0)
    rng.shuffle(codes)
    trie = Trie.from_codes(codes, (256,) * 4)
    assert trie.nbytes <= 16 * len(codes)
    assert [array.dtype for array in trie.code] == [np.uint8] * 4
    assert (trie.find(codes) == np.arange(len(codes))).all()


@pytest.mark.parametrize(
    ("codes", "sizes", "message"),
    [
        (np.zeros((0, 2), int), (2, 2), "no code paths"),
        ([[0, 0], [0, 0]], (2, 2), "not unique"),
        ([[0, 2]], (2, 2), "Code 2 is out of range"),
        ([[-1, 0]], (2, 2), "Code -1 is out of range"),
        ([[0, 0, 0]], (2, 2), "shape"),
        ([[0.5]], (2,), "float"),
    ],
)
def test_bad_codes_are_refused(codes, sizes, message):
    with pytest.raises(DataError, match=message):
        Trie.from_codes(np.asarray(codes), sizes)


def test_bad_prefixes_are_refused():
    trie = Trie.from_codes(np.array([[0, 1]]), (2, 2))
    assert trie.items_under([1]).size == 0
    assert trie.children([0, 1]).size == 0
    for call in (lambda: trie.node_of([]), lambda: trie.node_of([0, 1, 0]), lambda: trie.find([[0]])):
        with pytest.raises(DataError):
            call()
