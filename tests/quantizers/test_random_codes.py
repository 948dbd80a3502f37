import numpy as np
import pytest

from genrec.errors import DataError
from genrec.quantizers.base import ItemContext
from genrec.quantizers.random import RandomCodes, RandomCodesSettings


def codes_of(ids, seed=0, **settings):
    quantizer = RandomCodes(RandomCodesSettings(**settings))
    x = np.zeros((len(ids), 2), dtype=np.float32)
    quantizer.fit(x, seed=seed)
    return quantizer.encode(x, items=ItemContext(ids))


def test_codes_belong_to_the_id_and_the_seed():
    ids = [f"item {n}" for n in range(500)]
    codes = codes_of(ids)
    assert (codes_of(ids[::-1])[::-1] == codes).all()
    assert (codes_of(ids[100:200]) == codes[100:200]).all()
    assert (codes_of(ids, seed=1) != codes).any(axis=1).mean() > 0.99


def test_codes_are_spread_evenly():
    codes = codes_of([str(n) for n in range(20_000)], levels=2, codebook_size=16)
    for level in range(2):
        counts = np.bincount(codes[:, level], minlength=16)
        assert ((counts - 1250) ** 2 / 1250).sum() < 45  # chi-squared, 15 degrees of freedom, far tail
    assert len(np.unique(codes, axis=0)) == 256


def test_without_ids_equal_vectors_share_codes():
    x = np.array([[1, 2], [1, 2], [3, 4]], dtype=np.float32)
    quantizer = RandomCodes()
    quantizer.fit(x, seed=0)
    codes = quantizer.encode(x)
    assert (codes[0] == codes[1]).all()
    assert (codes[0] != codes[2]).any()
    with pytest.raises(DataError, match="2 item ids"):
        quantizer.encode(x, items=ItemContext(["a", "b"]))
