import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.errors import ConfigError
from genrec.quantizers import build_quantizer
from genrec.quantizers.base import residual_decode
from genrec.quantizers.residual_fsq import ResidualFSQ, ResidualFSQSettings


@given(st.lists(st.integers(2, 8), min_size=1, max_size=3).map(tuple), st.integers(1, 3))
@settings(max_examples=25)
def test_codes_and_grid_points_are_a_bijection(steps, levels):
    import torch

    quantizer = ResidualFSQ(ResidualFSQSettings(steps=steps, levels=levels))
    books, rounding = quantizer.codebooks, quantizer._rounding()
    size = int(np.prod(steps))
    assert quantizer.codebook_sizes == (size,) * levels
    for layer, book, scale in zip(rounding.layers, books, rounding.scales, strict=True):
        assert len(np.unique(book.round(6), axis=0)) == size
        again = layer.codes_to_indices(torch.from_numpy(book) / scale).numpy()
        assert (again == np.arange(size)).all()


def test_levels_round_finer_and_finer():
    import torch

    rounding = ResidualFSQ(ResidualFSQSettings(steps=(5, 5), levels=3))._rounding()
    scalars = torch.linspace(-0.9, 0.9, 41)[:, None].repeat(1, 2)
    clamp = rounding.soft_clamp_input_value
    bounded = ((scalars / clamp).tanh() * clamp).numpy()
    codes = rounding(scalars[:, None])[1][:, 0].numpy()
    books = ResidualFSQ(ResidualFSQSettings(steps=(5, 5), levels=3)).codebooks
    errors = [np.abs(bounded - residual_decode(codes[:, :n], books[:n])).max() for n in (1, 2, 3)]
    assert errors[0] <= 0.26
    assert errors[1] < 0.4 * errors[0]
    assert errors[2] < 0.4 * errors[1]


def test_one_step_is_refused():
    with pytest.raises(ConfigError, match="at least 2 steps"):
        build_quantizer({"name": "residual-fsq", "steps": [8, 1]})
