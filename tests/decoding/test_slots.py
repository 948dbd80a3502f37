"""Parallel slots: exact top-k against scoring everything with numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.slots import SlotRanker
from genrec.errors import DataError


def brute_force(codes, slots):
    return sum(slots[:, slot][:, codes[:, slot]] for slot in range(codes.shape[1]))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 200),
    slots=st.integers(1, 4),
    size=st.integers(1, 30),
    k=st.integers(1, 20),
    chunk=st.integers(1, 64),
    seed=st.integers(0, 1000),
    filters=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_equals_brute_force(n, slots, size, k, chunk, seed, filters):
    rng = np.random.default_rng(seed)
    users = 3
    codes = rng.integers(0, size, (n, slots))
    scores = rng.normal(size=(users, slots, size)).astype(np.float32)
    forbid, allow, with_prior, part = filters
    positions = rng.permutation(3 * n)[:n] if part else np.arange(n)
    total = 3 * n if part else n
    forbidden = rng.integers(-1, total, (users, n)) if forbid else None
    allowed = rng.integers(-1, total, (users, 2 * n)) if allow else None
    prior = rng.normal(size=total if seed % 2 else (users, total)).astype(np.float32) if with_prior else None
    ranker = SlotRanker(codes, (size,) * slots, items=positions)
    items, best = ranker.top(
        torch.from_numpy(scores),
        k,
        chunk=chunk,
        forbidden=None if forbidden is None else torch.from_numpy(forbidden),
        allowed=None if allowed is None else torch.from_numpy(allowed),
        prior=None if prior is None else torch.from_numpy(prior),
    )
    expected = np.full((users, total), -np.inf)
    expected[:, positions] = brute_force(codes, scores)
    np.testing.assert_allclose(ranker.scores(torch.from_numpy(scores)).numpy(), expected[:, positions], atol=1e-5)
    if prior is not None:
        expected += prior
    for user in range(users):
        if forbidden is not None:
            expected[user, forbidden[user][forbidden[user] >= 0]] = -np.inf
        if allowed is not None:
            expected[user, np.setdiff1d(np.arange(total), allowed[user])] = -np.inf
        real = items[user][items[user] >= 0].numpy()
        assert len(real) == len(set(real.tolist())) == min(k, n, int(np.isfinite(expected[user]).sum()))
        np.testing.assert_allclose(expected[user, real], -np.sort(-expected[user])[: len(real)], atol=1e-5)
        np.testing.assert_allclose(best[user][: len(real)].numpy(), expected[user, real], atol=1e-5)


def test_slots_of_different_sizes_and_many_items():
    rng = np.random.default_rng(0)
    sizes = (3, 500, 40)
    codes = np.stack([rng.integers(0, size, 100_000) for size in sizes], axis=1)
    slots = [rng.normal(size=(2, size)).astype(np.float32) for size in sizes]
    items, best = SlotRanker(codes, sizes).top([torch.from_numpy(part) for part in slots], 10, chunk=30_000)
    expected = sum(part[:, codes[:, slot]] for slot, part in enumerate(slots))
    np.testing.assert_allclose(best.numpy(), -np.sort(-expected, axis=1)[:, :10], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(expected, items.numpy(), 1), best.numpy(), rtol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="outside its codebook"):
        SlotRanker(np.array([[0, 3]]), (2, 3))
    with pytest.raises(DataError, match="shape"):
        SlotRanker(np.zeros((0, 2), dtype=int), (2, 3))
    with pytest.raises(DataError, match="Slot scores"):
        SlotRanker(np.array([[0, 2]]), (2, 3)).top(torch.zeros(1, 2, 3), 1)
