"""The fused T5 stacks against the stock blocks: the same numbers, for every kind of T5, search and weight change."""

import copy

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5LayerNorm

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.models.hf.seq2seq import HFSeq2SeqPredictor
from genrec.models.t5 import fused as t5_fused
from genrec.models.t5.search import T5Search
from genrec.trie import Trie

SIZES = (4, 5, 6, 3)
TOKENS = [range(20, 24), range(24, 29), range(29, 35), range(35, 38)]
SIZE = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 3, "decoder_start_token_id": 0}


def build(kind="relu", seed=0):
    torch.manual_seed(seed)
    config = T5Config(vocab_size=38, feed_forward_proj=kind, **SIZE)
    model = T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    return model


def prompts(padded=True):
    generator = torch.Generator().manual_seed(1)
    ids, mask = torch.randint(3, 20, (3, 7), generator=generator), torch.ones(3, 7, dtype=torch.int64)
    if padded:
        mask[0, 4:] = mask[1, 1:] = 0
    return ids, mask


def trie():
    import numpy as np

    codes = np.argwhere(np.ones(SIZES))
    return DeviceTrie(Trie.from_codes(codes[np.random.default_rng(0).permutation(len(codes))[:90]], SIZES))


def both(work, model):
    """What ``work`` gives with the fused stacks, and with the stock blocks."""
    fast, slow = HFSeq2SeqPredictor(model, TOKENS), HFSeq2SeqPredictor(model, TOKENS)
    slow.search.stacks = lambda: None
    with torch.inference_mode():
        assert fast.search.stacks() is not None
        return work(fast), work(slow)


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
@pytest.mark.parametrize("padded", [True, False])
def test_searches_and_scores_are_those_of_the_stock_blocks(kind, padded):
    model, catalogue = build(kind), trie()
    ids, mask = prompts(padded)

    def search(predictor):
        return beam_search(predictor, predictor.prefill(ids, mask), catalogue, 3, beams=7)

    def exact(predictor):
        return score_items(predictor, predictor.prefill(ids, mask), catalogue, 3, rows=10)

    (found, scores), (expected, expected_scores) = both(search, model)
    assert found.tolist() == expected.tolist()
    torch.testing.assert_close(scores, expected_scores, atol=1e-4, rtol=1e-5)
    fast, slow = both(exact, model)
    torch.testing.assert_close(fast, slow, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
def test_hidden_states_are_equal_in_double_precision(kind, monkeypatch):
    """Rounding left out, every step gives the same vectors; parents cross and repeat."""
    monkeypatch.setattr(  # the stock one takes its mean in float32
        T5LayerNorm,
        "forward",
        lambda self, x: self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon),
    )
    model = build(kind).double()
    mask = torch.ones(3, 7, dtype=torch.bool)
    mask[0, :3] = mask[1, 2:] = False
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 7, 16, generator=generator, dtype=torch.float64)
    steps = [(torch.randn(3, width, 16, generator=generator, dtype=torch.float64), width) for width in (1, 4, 6, 5)]
    fast, slow = (T5Search(model.encoder, model.decoder) for _ in range(2))
    slow.stacks = lambda: None
    with torch.inference_mode():
        states = fast.prefill(vectors, mask), slow.prefill(vectors, mask)
        before = 1
        for level, (inputs, width) in enumerate(steps):
            parents = torch.randint(0, before, (3, width), generator=generator) if level else None
            hidden, expected = [
                one.step(state, inputs, parents) for one, state in zip((fast, slow), states, strict=True)
            ]
            torch.testing.assert_close(hidden, expected, atol=1e-9, rtol=1e-9)
            before = width
    assert states[0].beams is not None
    assert states[1].beams is None


def test_changed_weights_are_noticed():
    model = build()
    ids, mask = prompts()
    predictor = HFSeq2SeqPredictor(model, TOKENS)
    with torch.inference_mode():
        before = predictor.step(predictor.prefill(ids, mask)).logits
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(input_ids=ids, attention_mask=mask, labels=ids[:, :3].contiguous()).loss.backward()
    optimizer.step()
    with torch.inference_mode():
        after = predictor.step(predictor.prefill(ids, mask)).logits
        fresh = HFSeq2SeqPredictor(copy.deepcopy(model), TOKENS)
        expected = fresh.step(fresh.prefill(ids, mask)).logits
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, expected)


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_rows_of_a_table_are_as_good_as_their_vectors(most, monkeypatch):
    """With and without a table of the first layer's projections, and after a change of one part of the table."""
    monkeypatch.setattr(t5_fused, "_MOST_BYTES", most)
    model, generator = build(), torch.Generator().manual_seed(2)
    parts = torch.randn(9, 16, generator=generator), torch.randn(16, generator=generator)
    numbers, mask = torch.randint(0, 10, (3, 7), generator=generator), torch.ones(3, 7, dtype=torch.bool)
    parents = torch.tensor([[0, 0, 0]] * 3)
    search = T5Search(model.encoder, model.decoder)
    with torch.inference_mode():
        for _ in range(2):
            given = [t5_fused.Rows(parts, part) for part in (numbers, numbers[:, :1], numbers[:, 1:4])]
            found = []
            for read, first, second in (given, [one.vectors() for one in given]):
                state = search.prefill(read, mask)
                found.append((search.step(state, first, None), search.step(state, second, parents)))
            torch.testing.assert_close(found[0], found[1])
            parts = parts[0], parts[1] + 1
        assert (search.stacks()[0]._entry[1] is None) == (not most)


@pytest.mark.parametrize("padded", [True, False])
def test_an_encoder_reads_many_users_in_parts(padded, monkeypatch):
    model = build()
    search, (ids, mask) = T5Search(model.encoder, model.decoder), prompts(padded)
    ids, mask = ids.repeat(3, 1), mask.repeat(3, 1).bool()
    table = model.get_input_embeddings().weight

    def memory():
        with torch.inference_mode():
            return [search.prefill(one, mask).beams.memory for one in (table[ids], t5_fused.Rows((table,), ids))]

    whole = memory()
    monkeypatch.setattr(t5_fused, "_TOKENS", 15)
    torch.testing.assert_close(memory(), whole)


def test_what_cannot_be_fused_keeps_the_stock_blocks():
    model = build()
    search = T5Search(model.encoder, model.decoder)
    assert search.stacks() is None  # gradients may be wanted
    with torch.no_grad():
        assert search.stacks() is not None
        model.train()
        assert search.stacks() is None
        model.eval()

    class Wrapped(torch.nn.Linear):
        """What an adapter does."""

    attention = model.decoder.block[1].layer[0].SelfAttention
    attention.q = Wrapped(16, 24, bias=False)
    with torch.no_grad():
        assert search.stacks() is None
        assert T5Search(model.half().encoder, model.decoder).stacks() is None


def test_bfloat16_is_computed_in_what_the_processor_can_do(monkeypatch):
    model = build().to(torch.bfloat16)
    ids, mask = prompts()
    for known, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(t5_fused, "has_bfloat16", lambda known=known: known)
        (found, scores), _ = both(
            lambda predictor: beam_search(predictor, predictor.prefill(ids, mask), trie(), 3, beams=5), model
        )
        predictor = HFSeq2SeqPredictor(model, TOKENS)
        with torch.inference_mode():
            assert predictor.search.stacks()[0].dtype == expected
        assert scores.dtype == torch.float32
        assert (found >= 0).all()
