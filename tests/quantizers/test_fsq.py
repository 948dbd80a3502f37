import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import ConfigError
from genrec.quantizers import build_quantizer
from genrec.quantizers.fsq import FSQ, FSQSettings


@given(st.lists(st.integers(3, 9), min_size=1, max_size=5).map(tuple))
@settings(max_examples=25, deadline=None)
def test_numbers_of_grid_points_are_a_bijection(levels):
    import torch

    quantizer = FSQ(FSQSettings(levels=levels, slots=1))
    grid, size = quantizer.codebooks[0], int(np.prod(levels))
    assert quantizer.codebook_sizes == (size,)
    assert len(np.unique(grid, axis=0)) == size
    again = quantizer._rounding().codes_to_indices(torch.from_numpy(grid)).numpy()
    assert (again == np.arange(size)).all()
    digits = (np.arange(size)[:, None] // np.cumprod([1, *levels[:-1]])) % levels
    assert np.allclose(grid, (digits - np.array(levels) // 2) / (np.array(levels) // 2))


def test_recgpt_has_15360_codes_and_every_one_can_be_reached():
    import torch

    rounding = FSQ()._rounding()
    grid = torch.from_numpy(FSQ().codebooks[0])
    widths = torch.tensor([8, 8, 8, 6, 5])
    half, offset = (widths - 1) * (1 + 1e-3) / 2, torch.where(widths % 2 == 0, 0.5, 0.0)
    before = torch.atanh((grid * (widths // 2) + offset) / half) - torch.atanh(offset / half)
    assert (rounding(before[None])[1][0] == torch.arange(15_360)).all()


def test_gradients_pass_the_rounding():
    import torch

    z = torch.randn(1, 3, 5, requires_grad=True)
    FSQ()._rounding()(z)[0].sum().backward()
    assert (z.grad != 0).all()


def test_split_slots_see_their_own_part_only():
    x = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    for rotate, encoder, changed in ((False, "split", {0}), (False, "mlp", {0, 1}), (True, "split", {0, 1})):
        quantizer = FSQ(FSQSettings(slots=2, levels=(8, 8), encoder=encoder, rotate=rotate, epochs=2))
        quantizer.fit(x, seed=0)
        other = x.copy()
        other[:, :4] += 3
        differs = (quantizer.encode(x) != quantizer.encode(other)).any(axis=0)
        assert set(np.flatnonzero(differs).tolist()) == changed


def test_dimensions_that_do_not_divide_by_the_slots():
    x = np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)
    quantizer = FSQ(FSQSettings(slots=4, levels=(3,), epochs=1))
    quantizer.fit(x, seed=0)
    assert quantizer.reconstruct(quantizer.encode(x)).shape == (20, 7)


def test_two_steps_are_refused():
    with pytest.raises(ConfigError, match="at least 3 steps"):
        build_quantizer({"name": "fsq", "levels": [8, 2]})
