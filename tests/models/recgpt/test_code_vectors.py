"""Vectors of codes from the catalogue's own texts."""

import numpy as np
import pytest
import torch

from genrec.errors import DataError
from genrec.models.recgpt.code_vectors import CodeVectors, item_code_vectors, split_vectors


def items(n=40, dim=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 9, (n, 4)).astype(np.int32), rng.normal(size=(n, dim)).astype(np.float32)


def test_slices_are_means_over_the_items_with_a_code():
    codes, vectors = items()
    made = CodeVectors.of(codes, vectors, (9,) * 4, "slices")
    for slot in range(4):
        for code, vector in zip(made.codes[slot].tolist(), made.vectors[slot].numpy(), strict=True):
            own = vectors[codes[:, slot] == code][:, 2 * slot : 2 * slot + 2]
            np.testing.assert_allclose(vector, own.mean(0), atol=1e-6)


def test_additive_vectors_add_up_to_the_items_better_than_means_do():
    codes, vectors = items()
    left = vectors - item_code_vectors(codes, vectors, (9,) * 4, "additive").sum(1)
    means = vectors - item_code_vectors(codes, vectors, (9,) * 4, "slices").reshape(len(vectors), -1)
    assert (left**2).sum() < 0.7 * (means**2).sum()
    # where every item has a code of its own, nothing is lost
    alone = np.tile(np.arange(40)[:, None], 4)
    np.testing.assert_allclose(item_code_vectors(alone, vectors, (40,) * 4, "additive").sum(1), vectors, atol=1e-5)


def test_a_suffix_is_not_looked_at_and_widths_are_padded():
    codes, vectors = items(dim=10)
    suffixed = np.column_stack([codes, np.arange(len(codes))])
    a, b = (CodeVectors.of(c, vectors, (9,) * 4, "slices") for c in (codes, suffixed))
    assert all(torch.equal(x, y) for x, y in zip(a.vectors, b.vectors, strict=True))
    assert a.vectors[0].shape[1] == 3
    assert float(a.vectors[3][:, 1:].abs().max()) == 0
    assert split_vectors(torch.ones(2, 10), 4).sum() == 20


def test_codes_of_other_items_are_refused():
    codes, vectors = items()
    with pytest.raises(DataError, match="Codes of shape"):
        CodeVectors.of(codes[:5], vectors, (9,) * 4, "additive")
