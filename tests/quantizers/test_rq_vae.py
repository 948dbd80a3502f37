import logging

import numpy as np
import pytest

from genrec.quantizers.base import residual_decode, residual_encode
from genrec.quantizers.rq_vae import RQVAE, RQVAESettings, without_dead


def clusters(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(20, 12))[rng.integers(0, 20, n)] * 2 + rng.normal(size=(n, 12)) * 0.3).astype(np.float32)


def test_uses_its_codes_and_keeps_clusters_together():
    x = clusters()
    quantizer = RQVAE(RQVAESettings(levels=2, codebook_size=16, latent_dim=8, hidden=(32,), epochs=8, warmup=4))
    quantizer.fit(x, seed=0)
    codes = quantizer.encode(x)
    assert all(len(np.unique(codes[:, level])) >= 14 for level in range(2))
    again = quantizer.reconstruct(codes)
    assert ((x - again) ** 2).sum() < 0.5 * ((x - x.mean(axis=0)) ** 2).sum()
    assert [book.shape for book in quantizer.codebooks] == [(16, 8), (16, 8)]


def test_stops_when_nothing_improves(caplog):
    quantizer = RQVAE(
        RQVAESettings(levels=1, codebook_size=4, latent_dim=2, hidden=(), epochs=500, patience=2, min_improvement=0.05)
    )
    with caplog.at_level(logging.INFO, logger="genrec.quantizers.autoencoder"):
        quantizer.fit(clusters(100), seed=0)
    trained = int(caplog.messages[-1].split()[1])
    assert trained < 500


def test_the_straight_through_variant_and_no_warmup_work():
    x = clusters(100)
    quantizer = RQVAE(
        RQVAESettings(levels=2, codebook_size=8, latent_dim=4, hidden=(8,), epochs=2, warmup=0, rotation_trick=False)
    )
    quantizer.fit(x, seed=0)
    assert np.isfinite(quantizer.reconstruct(quantizer.encode(x))).all()


def test_leaves_the_global_generator_alone():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    RQVAE(RQVAESettings(levels=1, codebook_size=4, latent_dim=2, hidden=(), epochs=1)).fit(clusters(20), seed=0)
    assert torch.rand(1) == expected


def test_entries_that_nothing_chose_are_moved_to_where_a_level_is_worst():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(200, 4)).astype(np.float32)
    books = [rng.normal(size=(16, 4)).astype(np.float32) for _ in range(3)]
    books[0][3:] = 50  # far away from everything
    settled = without_dead(latents, books)
    before, after = residual_encode(latents, books), residual_encode(latents, settled)
    assert len(np.unique(before[:, 0])) <= 3
    assert all(len(np.unique(after[:, level])) == 16 for level in range(3))
    error = [((latents - residual_decode(codes, b)) ** 2).sum() for codes, b in ((before, books), (after, settled))]
    assert error[1] < error[0]
    np.testing.assert_array_equal(books[0][3:], 50)  # the argument is left alone


@pytest.mark.parametrize("rows", [np.zeros((9, 4)), np.repeat(np.eye(4), 5, axis=0)], ids=["equal", "four different"])
def test_more_entries_than_different_latents_is_no_trouble(rows):
    books = [np.full((8, 4), 3.0, dtype=np.float32)] * 2
    settled = without_dead(rows.astype(np.float32), books)
    assert all(np.isfinite(book).all() for book in settled)
    np.testing.assert_allclose(residual_decode(residual_encode(rows.astype(np.float32), settled), settled), rows)


def test_moved_entries_of_the_cosine_variant_keep_unit_length():
    x = clusters(60)
    settings = {"levels": 2, "codebook_size": 32, "latent_dim": 4, "hidden": (8,), "epochs": 1, "warmup": 0}
    quantizer = RQVAE(RQVAESettings(**settings, cosine=True))
    quantizer.fit(x, seed=0)
    for book in quantizer.codebooks:
        np.testing.assert_allclose(np.linalg.norm(book, axis=1), 1, rtol=1e-4)
