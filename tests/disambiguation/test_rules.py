"""What every rule promises: unique paths, published ones never move, all items reachable, clear errors when full."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.disambiguation import RULES, QuantizedItems, build_disambiguation
from genrec.disambiguation.free import near_paths
from genrec.errors import ConfigError, DataError
from genrec.quantizers import build_quantizer
from genrec.trie import Trie

CHOICES = {
    "suffix": {"capacity": 64},
    "suffix-needed": {"name": "suffix", "when": "needed", "capacity": 64},
    "uniform": {},
    "uniform-sinkhorn": {"name": "uniform", "method": "sinkhorn"},
    "nearest-free": {},
    "nearest-free-3": {"name": "nearest-free", "capacity": 3},
}


def rule_of(choice):
    return build_disambiguation({"name": choice, **CHOICES[choice]})


def quantizer_of(kind, size=8):
    """A fitted quantizer of two levels or slots over vectors of four dimensions."""
    changes = {"slots": 2} if kind == "product" else {"levels": 2}
    quantizer = build_quantizer({"name": kind, "codebook_size": size, "backend": "scikit-learn", **changes})
    quantizer.fit(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32), seed=0)
    return quantizer


QUANTIZERS = {kind: quantizer_of(kind) for kind in ("rq-kmeans", "product")}


def items_of(x, quantizer, first=0, popularity=None):
    x = np.asarray(x, dtype=np.float32)
    ids = np.array([f"i{n:04d}" for n in range(first, first + len(x))], dtype=object)
    return QuantizedItems(ids, quantizer.encode(x), quantizer.codebook_sizes, x, quantizer, popularity)


def unique(paths):
    return len(np.unique(paths, axis=0)) == len(paths)


def crowded(kinds, seed, n):
    """Vectors of few kinds: most of them equal."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(kinds, 4))[rng.integers(0, kinds, n)].astype(np.float32)


def test_all_are_tested():
    assert {rule_of(choice).name for choice in CHOICES} == set(RULES)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("kind", QUANTIZERS)
@given(data=st.data())
@settings(max_examples=12)
def test_paths_are_unique_and_published_ones_stay(choice, kind, data):
    # uniform: a last level of 8 codes holds groups of 8
    most = 8 if choice.startswith("uniform") else 40
    x = crowded(data.draw(st.integers(1, 5)), data.draw(st.integers(0, 9)), data.draw(st.integers(1, most)))
    cut = data.draw(st.integers(1, len(x)))
    quantizer, rule = QUANTIZERS[kind], rule_of(choice)
    before = items_of(x[:cut], quantizer)
    rule.fit(before)
    published = rule.resolve(before)
    sizes = rule.codebook_sizes(quantizer.codebook_sizes)
    again = rule_of(choice)
    again.load_state(json.loads(json.dumps(rule.state())))
    assert again.codebook_sizes(quantizer.codebook_sizes) == sizes
    if cut < len(x):
        after = items_of(x[cut:], quantizer, first=cut)
        published = np.concatenate([published, again.resolve(after, published)])
    assert unique(published)
    assert ((published >= 0) & (published < np.array(sizes))).all()
    trie = Trie.from_codes(published, sizes)
    assert sorted(trie.items_under([]).tolist()) == list(range(len(published)))
    if not rule.moves and rule.state().get("capacity"):
        assert (published[:, :2] == quantizer.encode(x[: len(published)])).all()


@pytest.mark.parametrize("choice", CHOICES)
def test_items_without_conflicts_keep_their_codes(choice):
    quantizer, rule = QUANTIZERS["rq-kmeans"], rule_of(choice)
    x = np.random.default_rng(3).normal(size=(60, 4)).astype(np.float32)
    _, first = np.unique(quantizer.encode(x), axis=0, return_index=True)
    items = items_of(x[np.sort(first)], quantizer)
    rule.fit(items)
    paths = rule.resolve(items)
    assert (paths[:, :2] == items.codes).all()
    assert (paths[:, 2:] == 0).all()
    assert (paths.shape[1] == 2) == (choice not in ("suffix", "nearest-free-3"))


@pytest.mark.parametrize("choice", ["uniform", "uniform-sinkhorn", "nearest-free"])
def test_moved_items_lose_little(choice):
    """Moving costs less than any other path of the group would on average, and only items in conflict move."""
    quantizer, rule = quantizer_of("rq-kmeans", 16), rule_of(choice)
    x = np.random.default_rng(1).normal(size=(90, 4)).astype(np.float32)
    items = items_of(x, quantizer)
    rule.fit(items)
    paths = rule.resolve(items)
    own, placed = ((x - quantizer.reconstruct(codes)) ** 2 for codes in (items.codes, paths))
    shuffled = items.codes.copy()
    shuffled[:, 1] = np.random.default_rng(0).integers(0, 16, 90)
    random = (x - quantizer.reconstruct(shuffled)) ** 2
    assert own.sum() < placed.sum() < own.sum() + 0.25 * (random.sum() - own.sum())


def test_the_most_popular_item_keeps_its_path():
    quantizer, rule = QUANTIZERS["rq-kmeans"], rule_of("nearest-free")
    popularity = np.array([1, 0, 9, 3])
    items = items_of(np.ones((4, 4)), quantizer, popularity=popularity)
    paths = rule.resolve(items)
    assert (paths == items.codes).all(axis=1).tolist() == [False, False, True, False]
    lost = ((1 - quantizer.reconstruct(paths)) ** 2).sum(axis=1)
    assert (lost[np.argsort(-popularity)] == np.sort(lost)).all()  # the next popular one is the next nearest


@pytest.mark.parametrize("kind", QUANTIZERS)
def test_near_paths_are_the_nearest_when_the_beam_holds_all(kind):
    quantizer = QUANTIZERS[kind]
    x = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    paths = near_paths(quantizer.latents(x), quantizer.codebooks, 64)
    assert paths.shape == (3, 64, 2)
    for row in range(3):
        assert unique(paths[row])
        lost = ((x[row] - quantizer.reconstruct(paths[row])) ** 2).sum(axis=1)
        assert (np.diff(lost) > -1e-4).all()


@pytest.mark.parametrize(
    ("choice", "n", "what"),
    [
        ("uniform", 9, "9 items share all codes but the last, which has 8 codes"),
        ("uniform-sinkhorn", 9, "9 items share all codes but the last"),
        ("nearest-free", 65, "All 64 code paths are full"),
        ("nearest-free-3", 193, "All 64 code paths are full"),
        ("suffix", 65, "65 items share one code path"),
    ],
)
def test_more_duplicates_than_there_is_room_for_name_the_remedy(choice, n, what):
    rule = rule_of(choice)
    fitting, full = (items_of(np.ones((count, 4)), QUANTIZERS["rq-kmeans"]) for count in (n - 1, n))
    rule.fit(fitting)
    assert unique(rule.resolve(fitting))
    with pytest.raises(DataError, match=what) as error:
        _ = rule.fit(full), rule.resolve(full)
    assert "more quantizer levels" in " ".join(str(error.value).split())


@pytest.mark.parametrize("choice", ["uniform", "nearest-free"])
def test_quantizers_without_codebooks_are_refused(choice):
    quantizer = build_quantizer({"name": "random", "levels": 1, "codebook_size": 8})
    quantizer.fit(np.zeros((3, 4), dtype=np.float32), seed=0)
    items, rule = items_of(np.zeros((3, 4)), quantizer), rule_of(choice)
    with pytest.raises(ConfigError, match=r"Use disambiguation\.name=suffix"):
        rule.resolve(items)


def test_a_suffix_where_needed_says_alone_by_zero():
    quantizer = build_quantizer({"name": "random", "levels": 1, "codebook_size": 8})
    codes = np.array([[0], [1], [1], [2]], dtype=np.int32)
    ids = np.array(list("abcd"), dtype=object)
    items = QuantizedItems(ids, codes, (8,), np.zeros((4, 2), dtype=np.float32), quantizer)
    rule = rule_of("suffix-needed")
    rule.fit(items)
    published = rule.resolve(items)
    assert published.tolist() == [[0, 0], [1, 1], [1, 2], [2, 0]]
    new = QuantizedItems(np.array(["e", "f", "g"], dtype=object), codes[[0, 1, 0]], (8,), items.vectors[:3], quantizer)
    assert rule.resolve(new, published).tolist() == [[0, 1], [1, 3], [0, 2]]
    alone = QuantizedItems(ids[:1], codes[:1], (8,), items.vectors[:1], quantizer)
    rule.fit(alone)
    assert rule.codebook_sizes((8,)) == (8,)
    assert rule.resolve(alone).tolist() == [[0]]
