"""Vectors are shifted and scaled by one number, so that angles stay."""

import numpy as np
import pytest

from genrec.quantizers.scaling import Scaler


def test_scaled_vectors_have_mean_zero_and_variance_one_and_come_back():
    x = np.random.default_rng(0).normal(3.0, [0.5, 2.0, 5.0], size=(200, 3)).astype(np.float32)
    scaler = Scaler.of(x)
    z = scaler.forward(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    assert float((z.astype(np.float64) ** 2).mean()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(scaler.backward(z), x, rtol=1e-5, atol=1e-5)
    assert z.dtype == scaler.backward(z).dtype == np.float32
    left, right = x - x.mean(axis=0), z  # one number for all components keeps angles
    cosine = [(a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1) for a, b in ((left, right),)]
    np.testing.assert_allclose(cosine[0], 1, atol=1e-5)


def test_constant_vectors_are_shifted_only():
    x = np.full((5, 2), 4.0, dtype=np.float32)
    scaler = Scaler.of(x)
    assert scaler.scale == 1.0
    assert (scaler.forward(x) == 0).all()
