"""Options of RQ-VAE: LETTER's terms, cosine, gradients for the entries."""

import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.quantizers import ItemContext, build_quantizer
from genrec.quantizers.letter import alignment_loss, diversity_loss

SMALL = {"name": "rq-vae", "levels": 2, "codebook_size": 8, "latent_dim": 4, "hidden": [16], "epochs": 20, "warmup": 2}
SMALL["learning_rate"] = 0.01


def shop(n=160):
    """Vectors say nothing of what is bought together: kinds of items, by position modulo 4."""
    rng = np.random.default_rng(0)
    ids = [f"i{row:03d}" for row in range(n)]
    walks = [(4 * rng.integers(0, n // 4, 8) + user % 4).tolist() for user in range(200)]
    items = ItemContext(ids, Catalog.from_frame(pl.DataFrame({"item_id": ids})), Histories.from_lists(walks))
    x = rng.normal(size=(n, 12)).astype(np.float32)
    x[:, :4] += np.eye(4)[np.arange(n) % 4] * 0.8
    return x, items


def share_of_a_kind(codes):
    """Share of the pairs with the same first code that are of one kind."""
    same = (codes[:, None, 0] == codes[None, :, 0]) & ~np.eye(len(codes), dtype=bool)
    kinds = np.arange(len(codes)) % 4
    return float((same & (kinds[:, None] == kinds[None])).sum() / same.sum())


def test_alignment_brings_items_bought_together_under_one_code():
    x, items = shop()
    shares = []
    for weight in (0.0, 2.0):
        quantizer = build_quantizer(SMALL | {"alignment": weight, "collaborative": {"name": "cooccurrence", "dim": 4}})
        quantizer.fit(x, seed=0, items=items)
        shares.append(share_of_a_kind(quantizer.encode(x)))
    assert shares[1] > shares[0] + 0.1


def test_alignment_needs_interactions():
    x, items = shop()
    quantizer = build_quantizer(SMALL | {"alignment": 1.0})
    with pytest.raises(DataError, match="no items"):
        quantizer.fit(x, seed=0)
    with pytest.raises(DataError, match="none were given"):
        quantizer.fit(x, seed=0, items=ItemContext(items.item_ids, items.catalog))


def test_alignment_loss_is_low_for_matching_vectors_and_skips_unknown_items():
    import torch

    known = torch.eye(4)
    assert float(alignment_loss(known, known)) < 0.01 < float(alignment_loss(known, known.flip(0)))
    with_unknown = torch.cat([known, torch.zeros(2, 4)])
    ours = torch.cat([known, torch.ones(2, 4)])
    assert float(alignment_loss(ours, with_unknown)) == pytest.approx(float(alignment_loss(known, known)))
    assert float(alignment_loss(torch.ones(2, 4), torch.zeros(2, 4))) == 0


def test_diversity_loss_is_zero_for_even_use_and_grows_with_crowding():
    import torch

    book = torch.tensor([[[-1.0], [1.0]]])
    even, crowded = torch.tensor([[-0.9], [0.9]]), torch.tensor([[0.9], [0.9]])
    codes = torch.tensor([[0], [1]])
    assert float(diversity_loss(even, codes, book)) == pytest.approx(0, abs=1e-5)
    assert float(diversity_loss(crowded, torch.ones(2, 1, dtype=torch.int64), book)) == pytest.approx(
        np.log(2), abs=0.01
    )
    latents = torch.tensor([[0.5], [0.6]], requires_grad=True)
    diversity_loss(latents, torch.ones(2, 1, dtype=torch.int64), book).backward()
    assert (latents.grad > 0).all()  # a step against it goes to the code that is not used


@pytest.mark.parametrize("changes", [{"cosine": True}, {"update": "gradient"}, {"diversity": 0.5}])
def test_options_train_and_reconstruct(changes):
    x, items = shop()
    x = np.repeat(x[:20], 8, axis=0) + 0.05 * x
    quantizer = build_quantizer(SMALL | changes)
    quantizer.fit(x, seed=0, items=items)
    again = quantizer.reconstruct(quantizer.encode(x))
    assert ((x - again) ** 2).sum() < 0.9 * ((x - x.mean(axis=0)) ** 2).sum()
    if "cosine" in changes:
        assert np.allclose(np.linalg.norm(quantizer.codebooks, axis=2), 1, atol=1e-4)


def test_cosine_with_gradients_is_refused():
    with pytest.raises(ConfigError, match="update: ema"):
        build_quantizer(SMALL | {"cosine": True, "update": "gradient"})
