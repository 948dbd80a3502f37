"""Lists by bounds against scoring everything: ties, filters, words, known items, users whom bounds do not help."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.histories import Histories
from genrec.decoding import bounded_slots
from genrec.decoding.bounded_slots import top_items_of_slots
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior_bounds import SparsePrior
from genrec.decoding.slots import score_by_slots
from genrec.decoding.user_priors import UserPriors
from genrec.decoding.word_prior import SharedWords
from genrec.encoders.word_matches import WordMatches
from genrec.trie import Trie


@pytest.fixture(autouse=True)
def _bounds_at_any_size(monkeypatch):
    for name in ("_FEWEST_USERS", "_ITEMS_A_CODE", "_ITEMS_A_PLACE"):
        monkeypatch.setattr(bounded_slots, name, 0)
    monkeypatch.setattr(bounded_slots, "_SEEDS", 4)


def catalogue(rng, n, slots, size):
    """A trie of some positions, with twins that a last code tells apart."""
    codes = rng.integers(0, size, (n, slots))
    suffix = [int((codes[:i] == codes[i]).all(1).sum()) for i in range(n)]
    codes = np.column_stack([codes, suffix]).astype(np.int32)
    sizes = (*([size] * slots), int(codes[:, -1].max()) + 1)
    return Trie.from_codes(codes, sizes), codes, sizes


def words_of(rng, n, vocabulary, coarse):
    matrix = rng.integers(1, 4, (n, vocabulary)) * (rng.random((n, vocabulary)) < 0.2)
    matrix = matrix.astype(np.float32)
    if not coarse:
        matrix *= rng.random(matrix.shape)
    lengths = np.sqrt(np.square(matrix).sum(1, keepdims=True)) / (1 if vocabulary % 2 else 7)
    return WordMatches(sp.csr_array(np.divide(matrix, lengths, where=lengths > 0, out=np.zeros_like(matrix))))


def expected(trie, slots, k, prior, forbidden):
    """The best by scores, equals by position."""
    scores = score_by_slots(trie, slots)
    if prior is not None:
        scores = scores + prior.add_to_items(torch.zeros_like(scores))
    scores = scores.numpy().copy()
    for user, barred in enumerate(forbidden):
        scores[user, barred[barred >= 0]] = -np.inf
    order = np.lexsort((np.broadcast_to(np.arange(scores.shape[1]), scores.shape), -scores), axis=1)[:, :k]
    best = np.take_along_axis(scores, order, 1)
    return np.where(best > -np.inf, order, -1), best


def agrees(trie, slots, k, prior, forbidden):
    items, best = expected(trie, slots, k, prior, forbidden)
    found, scores = top_items_of_slots(trie, slots, k, prior=prior, forbidden=torch.from_numpy(forbidden))
    np.testing.assert_array_equal(scores.numpy(), best)
    np.testing.assert_array_equal(found.numpy(), items)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(20, 300),
    users=st.sampled_from([1, 3, 70]),
    slots=st.integers(1, 4),
    size=st.integers(2, 20),
    k=st.integers(1, 12),
    coarse=st.booleans(),
    weight=st.sampled_from([0.0, 0.3, 10.0]),
    known=st.booleans(),
    spread=st.sampled_from([0.0, 1e-3, 1.0, 300.0]),
    seed=st.integers(0, 1000),
)
def test_lists_are_those_of_scoring_everything(n, users, slots, size, k, coarse, weight, known, spread, seed):
    rng = np.random.default_rng(seed)
    trie, _, sizes = catalogue(rng, n, slots, size)
    trie = DeviceTrie(trie)
    drawn = [rng.integers(0, 4, (users, s)) if coarse else rng.normal(size=(users, s)) for s in sizes]
    scores = [torch.from_numpy((spread * one).astype(np.float32)) for one in drawn]
    forbidden = rng.integers(-1, n, (users, int(rng.integers(0, 6))))
    histories = Histories.from_lists([rng.integers(0, n, rng.integers(0, 5)).astype(np.int32) for _ in range(users)])
    learned = None
    if known:
        picked = rng.random((users, n)) < 0.05
        learned = sp.csr_array((picked * rng.integers(-3, 4, (users, n))).astype(np.float32))
    words = SharedWords(words_of(rng, n, int(rng.integers(1, 13)), coarse), histories, weight) if weight else None
    prior = UserPriors(None, learned=learned, words=words).of(trie, np.arange(users))
    agrees(trie, scores, k, prior, forbidden)


def test_few_known_items_without_words_and_a_part_of_a_catalogue():
    rng = np.random.default_rng(0)
    whole, _, sizes = catalogue(rng, 400, 3, 8)
    part = rng.random(400) < 0.4
    trie = DeviceTrie(whole.restrict(part))
    slots = [torch.from_numpy(rng.normal(size=(9, s)).astype(np.float32)) for s in sizes]
    users, items = rng.integers(0, 9, 30), rng.permutation(400)[:30]
    given_scores = torch.from_numpy(rng.normal(size=30).astype(np.float32))
    prior = SparsePrior(trie, torch.from_numpy(users), torch.from_numpy(items), given_scores)
    found, scores = top_items_of_slots(trie, slots, 7, prior=prior)
    wanted, best = expected(trie, slots, 7, prior, np.zeros((9, 0), dtype=np.int64))
    np.testing.assert_array_equal(found.numpy(), wanted)
    np.testing.assert_array_equal(scores.numpy(), best)
    assert part[found.numpy()].all()


def test_a_user_whom_bounds_do_not_help_is_given_up_and_gets_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    trie, _, sizes = catalogue(rng, 500, 2, 30)
    trie = DeviceTrie(trie)
    slots = [torch.from_numpy(rng.normal(size=(5, s)).astype(np.float32)) for s in sizes]
    for slot in slots:
        slot[2] = 0  # all items are alike
    given_up = []
    plain = bounded_slots.top_by_slots

    def noted(trie, slots, *given, **options):
        given_up.append(len(slots[0]))
        return plain(trie, slots, *given, **options)

    monkeypatch.setattr(bounded_slots, "top_by_slots", noted)
    monkeypatch.setattr(bounded_slots, "_LEAST_SCORED", 100)
    found, best = top_items_of_slots(trie, slots, 3)
    assert given_up == [1]
    wanted = expected(trie, slots, 3, None, np.zeros((5, 0), dtype=np.int64))
    np.testing.assert_array_equal(best.numpy(), wanted[1])
    np.testing.assert_array_equal(np.delete(found.numpy(), 2, 0), np.delete(wanted[0], 2, 0))
    assert len(set(found[2].tolist())) == 3


def test_a_user_who_may_have_nearly_nothing():
    rng = np.random.default_rng(0)
    trie, _, sizes = catalogue(rng, 60, 2, 9)
    trie = DeviceTrie(trie)
    slots = [torch.from_numpy(rng.normal(size=(2, s)).astype(np.float32)) for s in sizes]
    forbidden = np.full((2, 58), -1)
    forbidden[0] = rng.permutation(60)[:58]
    agrees(trie, slots, 5, None, forbidden)
