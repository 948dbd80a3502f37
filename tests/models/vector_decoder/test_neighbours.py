"""Cosines with histories are the same one by one and as sums, kept or computed anew."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from genrec.encoders.word_matches import WordMatches
from genrec.models.vector_decoder import neighbours as module
from genrec.models.vector_decoder.neighbours import Neighbours

N_ITEMS = 7


@pytest.fixture
def made():
    torch.manual_seed(0)
    texts, pairs = (F.normalize(torch.randn(N_ITEMS, 5), dim=1) for _ in range(2))
    words = sp.random_array((N_ITEMS, 9), density=0.4, rng=np.random.default_rng(0), dtype=np.float32)
    return Neighbours(texts, WordMatches(sp.csr_array(words))), texts, pairs, torch.from_numpy(words.toarray())


def test_sums_over_a_history_are_sums_of_rows(made):
    neighbours, texts, pairs, words = made
    items, counts = torch.tensor([[1, 4, 2], [6, 6, 0]]), torch.rand(3, 2, 3)
    rows = neighbours.rows(items.flatten(), None, pairs, torch.float32)
    for row, vectors in zip(rows, (texts, pairs, words), strict=True):
        torch.testing.assert_close(row, vectors[items.flatten()] @ vectors.T)
    expected = sum(
        (count[:, :, None] * row.unflatten(0, (2, 3))).sum(1) for count, row in zip(counts, rows, strict=True)
    )
    torch.testing.assert_close(neighbours.of(items, counts, pairs), expected)


def test_without_words_there_are_two_kinds(made):
    neighbours, texts, pairs, _ = made
    bare, items = Neighbours(texts, None), torch.tensor([[1, 2]])
    assert len(bare.rows(items[0], None, pairs, torch.float32)) == 2
    counts = torch.rand(2, 1, 2)
    nothing = torch.cat([counts, torch.zeros(1, 1, 2)])
    torch.testing.assert_close(bare.of(items, counts, pairs), neighbours.of(items, nothing, pairs))


def test_what_is_kept_lives_as_long_as_training_and_changes_nothing(made, monkeypatch):
    neighbours, _, pairs, _ = made
    items, among = torch.tensor([3, 0]), torch.tensor([1, 2, 6])
    before = neighbours.rows(items, among, pairs, torch.float32)
    kept = neighbours.keep()
    for mine, theirs in zip(neighbours.rows(items, among, pairs, torch.float32), before, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert set(kept) == {"texts", "words"}
    assert neighbours._kept() is kept
    del kept
    assert neighbours._kept() is None
    monkeypatch.setattr(module, "_KEPT", N_ITEMS)
    kept = neighbours.keep()
    neighbours.rows(items, among, pairs, torch.float32)
    assert not kept  # a large catalogue's cosines would not fit
