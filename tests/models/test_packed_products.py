"""Packed matrices against plain ones, and log-sum-exp where numbers are far apart."""

import copy
import pickle

import pytest
import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from genrec.models import packed_products as packed
from genrec.models.hf.causal import HFCausalPredictor
from genrec.models.packed_products import ChunkedProduct, Product, log_sum_exp
from genrec.models.t5 import attention as t5_attention


@pytest.mark.parametrize("n", [1, 7, 100])
@pytest.mark.parametrize("way", ["packed", "plain", "transposed for MKL"])
def test_products_are_those_of_the_matrix(n, way, monkeypatch):
    monkeypatch.setattr(packed, "_has_fast_mkl", lambda: way == "transposed for MKL")
    if way == "plain":
        monkeypatch.setattr(packed, "_linear", None)
    rows, weight, residual = torch.randn(n, 24), torch.randn(30, 24), torch.randn(n, 30)
    with torch.no_grad():
        product = Product(weight)
        assert product.packed == (way == "packed")
        expected = rows @ weight.T
        torch.testing.assert_close(product(rows), expected)
        torch.testing.assert_close(product.relu(rows), expected.relu())
        torch.testing.assert_close(product.add(rows, residual), expected + residual)
        chunked = ChunkedProduct(8)
        parts = list(chunked(rows, weight))
        assert bool(chunked._made[1]) == (way == "packed")
        torch.testing.assert_close(torch.cat([part for _, part in parts], dim=1), expected)
        assert [columns.start for columns, _ in parts] == [0, 8, 16, 24]


@torch.no_grad()
def test_mkl_gets_small_float32_matrices_only(monkeypatch):
    monkeypatch.setattr(packed, "_has_fast_mkl", lambda: True)
    monkeypatch.setattr(packed, "_SMALL", 20)
    assert not Product(torch.randn(5, 4)).packed
    assert Product(torch.randn(6, 4)).packed


def test_a_matrix_is_packed_again_when_it_changes_and_never_copied_packed():
    rows, weight, product = torch.randn(3, 4), torch.randn(5, 4), ChunkedProduct(2)

    def whole(one=product):
        with torch.no_grad():
            return torch.cat([part for _, part in one(rows, weight)], dim=1)

    before = whole()
    weight.mul_(2)
    torch.testing.assert_close(whole(), 2 * before)
    for clone in (copy.deepcopy(product), pickle.loads(pickle.dumps(product))):
        torch.testing.assert_close(whole(clone), 2 * before)


def test_with_gradients_nothing_is_packed():
    assert not packed.can_pack(torch.randn(3, 4))
    with torch.no_grad():
        assert not packed.can_pack(torch.randn(3, 4).double())
        assert not packed.can_pack(torch.randn(3, 4, device="meta"))


@pytest.mark.parametrize("spread", [1, 50, 1000])
def test_log_sum_exp(spread):
    logits = torch.randn(3, 5, 40) * spread
    logits[0, 0, :3] = -torch.inf
    torch.testing.assert_close(log_sum_exp(logits), logits.logsumexp(-1))


def test_the_normaliser_of_a_whole_vocabulary():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=70, n_embd=16, n_layer=1, n_head=2)).eval()
    predictor = HFCausalPredictor(model, [range(60, 65), range(65, 70)])
    hidden = torch.randn(2, 3, 16)
    expected = (hidden @ model.lm_head.weight.T).logsumexp(-1)
    torch.testing.assert_close(predictor.head.log_normalizer(hidden), expected)  # gradients are on: plain
    with torch.inference_mode():
        torch.testing.assert_close(predictor.head.log_normalizer(hidden), expected)


@pytest.mark.parametrize("n", [1, 6])
@pytest.mark.parametrize("biased", [False, True])
def test_attention_is_that_of_torch(n, biased, monkeypatch):
    users, heads = 3, 2
    query, key, value = (torch.randn(users * length, heads * 4) for length in (n, 5, 5))
    bias = torch.randn(users, 1, 1, 5) if biased else None
    parts = [t5_attention.split_heads(one, users, heads) for one in (query, key, value)]
    by_user = [one.view(users, heads, -1, 4) for one in parts]
    expected = F.scaled_dot_product_attention(*by_user, attn_mask=bias, scale=1.0).transpose(1, 2).reshape(-1, 8)
    for most in (t5_attention._SCORES, 0):
        monkeypatch.setattr(t5_attention, "_SCORES", most)
        mixed = t5_attention.merge_heads(t5_attention.attend(*parts, bias, heads), users)
        torch.testing.assert_close(mixed, expected)
