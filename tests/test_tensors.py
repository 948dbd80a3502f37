"""Networks as named arrays, and randomness that is put back."""

import numpy as np
import torch
from torch import nn

from genrec.tensors import from_arrays, seeded, to_arrays


def test_a_network_comes_back_from_its_arrays_among_others():
    torch.manual_seed(3)
    first, second = nn.Linear(4, 2), nn.Linear(4, 2)
    arrays = {**to_arrays(first, "encoder"), "encoder_other.weight": np.zeros(1), "mean": np.ones(4)}
    assert set(arrays) >= {"encoder.weight", "encoder.bias"}
    from_arrays(second, arrays, "encoder")
    x = torch.ones(3, 4)
    torch.testing.assert_close(second(x), first(x), rtol=0, atol=0)
    assert not second.training


def test_what_is_drawn_inside_depends_on_the_seed_alone_and_leaves_no_trace():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with seeded(7):
        inside = torch.rand(2)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    with seeded(7):
        torch.testing.assert_close(torch.rand(2), inside, rtol=0, atol=0)


def test_randomness_is_put_back_after_an_error():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    try:
        with seeded(2):
            torch.rand(5)
            raise ValueError
    except ValueError:
        pass
    assert torch.equal(torch.random.get_rng_state(), before)
