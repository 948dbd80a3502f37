"""What makes training cheaper on a CPU: dropout is dropout, and products are products."""

import pytest
import torch
from torch import nn

from genrec.models import quick_training
from genrec.models.quick_training import dropout, product, product_dtype


def test_dropout_keeps_the_mean_and_drops_its_share():
    torch.manual_seed(0)
    values = torch.ones(400, 501, requires_grad=True)
    for p in (0.1, 0.5):
        found = dropout(values, p)
        dropped = found == 0
        assert float(dropped.float().mean()) == pytest.approx(p, abs=0.005)
        assert float(found.detach().mean()) == pytest.approx(1, abs=0.01)
        assert float(found.detach().max()) == pytest.approx(1 / (1 - p), rel=1e-4)
        # neighbours share a random number and must not share their fate
        assert float((dropped[:, 1:] & dropped[:, :-1]).float().mean()) == pytest.approx(p * p, abs=0.005)
        values.grad = None
        found.sum().backward()
        assert torch.equal(values.grad == 0, dropped)
    assert dropout(values, 0.0) is values


def test_dropout_follows_the_seed():
    values = torch.ones(10, 7)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(dropout(values, 0.5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_products_are_low_only_in_training_on_a_processor_that_has_them(monkeypatch):
    layer, rows = nn.Linear(4, 3), torch.randn(2, 4)
    monkeypatch.setattr(quick_training, "has_bfloat16", lambda: True)
    assert product_dtype(layer, rows, True) == torch.bfloat16
    assert product_dtype(layer, rows, False) == torch.float32
    assert product_dtype(nn.Linear(4, 3).double(), rows, True) == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert product_dtype(layer, rows, True) == torch.float32
    monkeypatch.setattr(quick_training, "has_bfloat16", lambda: False)
    assert product_dtype(layer, rows, True) == torch.float32


def test_a_layer_that_something_wraps_keeps_its_own_forward(monkeypatch):
    class Wrapped(nn.Linear):
        def forward(self, rows):
            return super().forward(rows) + 1

    torch.manual_seed(0)
    rows, plain = torch.randn(2, 4), nn.Linear(4, 3)
    torch.testing.assert_close(product(plain, rows), plain(rows))
    wrapped = Wrapped(4, 3)
    torch.testing.assert_close(product(wrapped, rows), wrapped(rows))
    monkeypatch.setattr(quick_training, "has_bfloat16", lambda: True)
    assert product_dtype(wrapped, rows, True) == torch.float32
    assert product(wrapped, rows.bfloat16()).dtype == torch.bfloat16
    low = product(plain, rows.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), plain(rows), atol=0.05, rtol=0.05)


def test_a_packed_weight_gets_rows_as_they_are():
    class Packed(nn.Module):
        """What a quantizer makes of a layer: its weight is no matrix of numbers."""

        def __init__(self):
            super().__init__()
            self.weight = torch.zeros(6, 1, dtype=torch.uint8)

        def forward(self, rows):
            return rows[:, :3] * 2

    rows = torch.randn(2, 4)
    assert product_dtype(Packed(), rows, True) == torch.float32
    torch.testing.assert_close(product(Packed(), rows), rows[:, :3] * 2)
