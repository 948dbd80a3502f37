import numpy as np
import pytest

from genrec.quantizers.product import ProductQuantizer, ProductSettings


def fitted(x, **settings):
    quantizer = ProductQuantizer(ProductSettings(**settings))
    quantizer.fit(x, seed=0)
    return quantizer, float(((x - quantizer.reconstruct(quantizer.encode(x))) ** 2).sum())


@pytest.fixture
def vectors():
    """Most of the variance in the first half: cut as they are, the second slot is wasted."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(400, 8)) * np.array([5, 4, 3, 2, 0.1, 0.1, 0.1, 0.1])).astype(np.float32)


def test_the_rotation_lowers_the_error(vectors):
    plain, turned = (fitted(vectors, slots=2, codebook_size=16, optimise=o)[1] for o in (False, True))
    assert turned < 0.75 * plain
    start = fitted(vectors, slots=2, codebook_size=16, rounds=0)[1]
    assert turned <= start


def test_the_rotation_keeps_lengths(vectors):
    quantizer, _ = fitted(vectors, slots=2, codebook_size=16)
    rotation = quantizer.state()[0]["rotation"]
    assert np.allclose(rotation.T @ rotation, np.eye(8), atol=1e-5)
    assert np.allclose(
        (quantizer.latents(vectors) ** 2).sum(axis=(1, 2)), ((vectors - vectors.mean(0)) ** 2).sum(1), rtol=1e-3
    )


@pytest.mark.parametrize("optimise", [True, False])
def test_dimensions_that_do_not_divide_by_the_slots(optimise):
    x = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    quantizer, error = fitted(x, slots=3, codebook_size=8, optimise=optimise)
    assert [book.shape for book in quantizer.codebooks] == [(8, 3)] * 3
    assert quantizer.reconstruct(quantizer.encode(x)).shape == (50, 7)
    assert error < ((x - x.mean(axis=0)) ** 2).sum()


def test_without_a_rotation_slots_see_their_own_part_only(vectors):
    quantizer, _ = fitted(vectors, slots=2, codebook_size=8, optimise=False)
    other = vectors.copy()
    other[:, :4] *= -1
    differs = (quantizer.encode(vectors) != quantizer.encode(other)).any(axis=0)
    assert differs.tolist() == [True, False]
