"""Float32 products by the fastest library that keeps their accuracy."""

import threading

import pytest
import torch

from genrec import exact_products


@pytest.mark.parametrize("onednn", [False, True])
def test_products_have_the_accuracy_of_float32(onednn, monkeypatch):
    if onednn and not exact_products._prefers_onednn():
        pytest.skip("this processor multiplies by the usual library")
    monkeypatch.setattr(exact_products, "_prefers_onednn", lambda: onednn)
    torch.manual_seed(0)
    rows, weight = torch.randn(300, 128, requires_grad=True), torch.randn(96, 128, requires_grad=True)
    out = exact_products.linear(rows, weight)
    given = torch.randn_like(out)
    out.backward(given)
    left, right, above = rows.detach().double(), weight.detach().double(), given.double()
    for found, wanted in ((out.detach(), left @ right.T), (rows.grad, above @ right), (weight.grad, above.T @ left)):
        assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_row_counts_are_few_and_hardly_larger():
    counts = {exact_products.padded_rows(n) for n in range(1024, 2048)}
    assert len(counts) <= 17
    for n in (1, 15, 17, 1000, 1025, 7160):
        assert n <= exact_products.padded_rows(n) <= max(n + 15, n * 1.07)


def test_blocks_may_overlap_in_threads_and_the_setting_is_put_back():
    if not exact_products._prefers_onednn():
        pytest.skip("this processor multiplies by the usual library")
    setting = torch.backends.mkldnn.matmul
    inside, outside = threading.Event(), threading.Event()

    def work():
        with exact_products.fast_products():
            inside.set()
            outside.wait(10)

    thread = threading.Thread(target=work)
    with exact_products.fast_products():
        thread.start()
        assert inside.wait(10)
    assert setting.fp32_precision == "bf16"
    outside.set()
    thread.join()
    assert setting.fp32_precision == "none"


def test_nothing_is_changed_where_the_accuracy_would_suffer(monkeypatch):
    monkeypatch.setattr(exact_products, "_prefers_onednn", lambda: False)
    with exact_products.fast_products():
        assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_only_linear_layers_of_a_network_multiply_fast():
    asked = []

    class Watch(torch.nn.Module):
        def forward(self, x):
            asked.append(torch.backends.mkldnn.matmul.fp32_precision)
            return x

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(64, 128), Watch(), torch.nn.GELU(), torch.nn.Linear(128, 32))
    rows = torch.randn(3, 50, 64)
    with torch.inference_mode():
        plain = network(rows)
        with exact_products.fast_linears(network):
            assert ("forward" in vars(network[0])) == exact_products._prefers_onednn()
            fast = [network(part) for part in (rows, rows[:, :7], rows[0, 0])]
    for found, wanted in zip(fast, (plain, plain[:, :7], plain[0, 0]), strict=True):
        assert float((found - wanted).abs().max()) < 1e-5 * float(plain.abs().max())
    assert set(asked) == {"none"}
    assert all("forward" not in vars(layer) for layer in network)
