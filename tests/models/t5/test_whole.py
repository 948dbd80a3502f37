"""An encoder-decoder on whole histories: the same network as on every prefix of them, and the same in decoding."""

import itertools
import json

import pytest
import torch
from support import TINY_BACKBONES

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import ArtifactError
from genrec.models import load_model
from genrec.models.beam_tree import additive
from genrec.models.history_batches import CodeCollator, HistoryExamples, NewestTargets
from genrec.models.seq2seq import read_answers
from genrec.models.t5 import whole
from genrec.models.t5.stock_blocks import first_attention, key_bias, run_blocks
from genrec.trie import Trie

SIZES = (5, 6, 7)


def build(tiny_model, attention="item-causal", **settings):
    return tiny_model("seq2seq", SIZES, history_attention=attention, **settings)


def histories():
    generator = torch.Generator().manual_seed(0)
    codes = torch.stack([torch.randint(0, size, (3, 6), generator=generator) for size in SIZES], dim=-1)
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[1, 3:] = False
    return codes, mask


def stock_likelihood(model, history, item):
    """Log-probability of an item after a history, by the stock blocks, with masks written out token by token."""
    codes, known = history[None], torch.ones(1, len(history), dtype=torch.bool)
    tokens, mask = model._tokens(codes, known)
    owner = [0, *(n for n in range(1, len(history) + 1) for _ in SIZES)]
    full = model.config.history_attention == "full"
    seen = torch.tensor([[full or key <= query for key in owner] for query in owner])
    n = len(owner)
    bias = first_attention(model.t5.encoder).compute_bias(n, n) + additive(seen[None], tokens.dtype)
    memory = run_blocks(model.t5.encoder, tokens, bias)
    stack, start, table = model.t5.decoder, model.decoder_start, model.input_table
    hidden = read_answers(stack, start, table, item[None], memory, key_bias(mask, tokens.dtype))
    scores = [model.output_table.logits(hidden[0, level], level).log_softmax(-1) for level in range(len(SIZES))]
    return sum(score[code] for score, code in zip(scores, item, strict=True))


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
@torch.no_grad()
def test_one_reading_gives_the_sum_over_all_prefixes(kind, tiny_model, monkeypatch):
    monkeypatch.setitem(TINY_BACKBONES["seq2seq"], "feed_forward_proj", kind)
    model = build(tiny_model)
    codes, mask = histories()
    output = model(codes, mask)
    for user, length in enumerate(mask.sum(1).tolist()):
        expected = sum(stock_likelihood(model, codes[user, :at], codes[user, at]) for at in range(length))
        torch.testing.assert_close(output.log_likelihood[user], expected, atol=2e-4, rtol=1e-5)
    assert int(output.n_targets) == int(mask.sum())
    torch.testing.assert_close(output.loss, -output.log_likelihood.sum() / mask.sum())


@pytest.mark.parametrize("attention", ["full", "item-causal"])
@torch.no_grad()
def test_a_pair_is_what_the_stock_blocks_say(attention, tiny_model):
    model = build(tiny_model, attention)
    codes, mask = histories()
    newest = torch.nn.functional.one_hot(mask.sum(1) - 1, 6).bool()
    found = model(codes, mask, newest).log_likelihood
    for user, length in enumerate(mask.sum(1).tolist()):
        expected = stock_likelihood(model, codes[user, : length - 1], codes[user, length - 1])
        torch.testing.assert_close(found[user], expected, atol=2e-4, rtol=1e-5)


@torch.no_grad()
def test_any_choice_of_targets_adds_up(tiny_model):
    model = build(tiny_model)
    codes, mask = histories()
    every = model(codes, mask).log_likelihood
    parts = [torch.zeros_like(mask) for _ in range(3)]
    parts[0][:, 2], parts[1][:, 0] = True, True
    parts[2] = mask & ~parts[0] & ~parts[1]
    torch.testing.assert_close(sum(model(codes, mask, part).log_likelihood for part in parts), every)


@pytest.mark.parametrize("stacks", ["fused", "stock"])
@torch.no_grad()
def test_decoding_gives_the_log_likelihood_of_training(stacks, tiny_model):
    model = build(tiny_model)
    if stacks == "stock":
        model.search.stacks = lambda: None
    codes, mask = histories()
    items = torch.tensor(list(itertools.product(*(range(size) for size in SIZES))))
    trie = DeviceTrie(Trie.from_codes(items[::7].numpy(), SIZES))
    found, scores = beam_search(model, model.prefill(codes, mask), trie, 3, beams=40, normalize="vocabulary")
    for user, length in enumerate(mask.sum(1).tolist()):
        for item, score in zip(found[user, :4], scores[user, :4], strict=True):
            row = torch.cat([codes[user, :length], items[::7][item][None]])[None]
            target = torch.nn.functional.one_hot(torch.tensor([length]), length + 1).bool()
            likelihood = model(row, torch.ones_like(target), target).log_likelihood[0]
            torch.testing.assert_close(score, likelihood, atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("stacks", ["fused", "stock"])
@torch.no_grad()
def test_padding_on_either_side_and_the_batch_change_nothing(stacks, tiny_model):
    model = build(tiny_model)
    if stacks == "stock":
        model.search.stacks = lambda: None
    codes, mask = histories()
    left_codes, left_mask = codes.clone(), mask.clone()
    left_codes[1], left_mask[1] = codes[1].roll(3, 0), mask[1].roll(3, 0)
    wrong = left_codes.clone()
    wrong[~left_mask] = 0
    expected = model.step(model.prefill(codes, mask))
    for given in (left_codes, wrong):
        torch.testing.assert_close(model.step(model.prefill(given, left_mask)), expected, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(
            model(given, left_mask).log_likelihood, model(codes, mask).log_likelihood, atol=2e-4, rtol=1e-5
        )
    alone = model(codes[1:2, :3], mask[1:2, :3]).log_likelihood
    torch.testing.assert_close(alone[0], model(codes, mask).log_likelihood[1], atol=2e-4, rtol=1e-5)


@torch.no_grad()
def test_attention_inside_an_item_goes_both_ways_and_between_items_backwards_only(tiny_model):
    model = build(tiny_model)
    codes, mask = (one[:1] for one in histories())
    order = whole.item_of_columns(1 + 6 * len(SIZES), len(SIZES))
    assert order[:8].tolist() == [0, 1, 1, 1, 2, 2, 2, 3]
    assert whole.item_of_columns(4, 1).tolist() == [0, 1, 2, 3]

    def memory(given):
        tokens, known = model._tokens(given, mask)
        return whole.read_history(model.t5.encoder, tokens, model.search.bias(known, order=order))[0]

    before = memory(codes)
    changed = codes.clone()
    changed[0, 3, 2] = (changed[0, 3, 2] + 1) % SIZES[2]  # the last code of the fourth item
    moved = (memory(changed) - before).abs().amax(-1) > 1e-6
    assert moved.tolist() == [number >= 4 for number in order.tolist()]


def test_training_on_whole_histories_learns_and_the_gradient_is_that_of_all_prefixes(tiny_model):
    model = build(tiny_model)
    codes, mask = histories()
    model(codes, mask).loss.backward()
    together = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    for user, length in enumerate(mask.sum(1).tolist()):
        for at in range(length):
            (-stock_likelihood(model, codes[user, :at], codes[user, at]) / mask.sum()).backward()
    assert together.keys() >= {"t5.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"}
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, model.get_parameter(name).grad, atol=1e-4, rtol=1e-3, msg=name)


def test_products_in_bfloat16_stay_near_where_the_processor_has_them(tiny_model, monkeypatch):
    model = build(tiny_model, dropout=0.0).train()
    codes, mask = histories()
    losses = []
    for known in (False, True):
        monkeypatch.setattr("genrec.models.quick_training.has_bfloat16", lambda known=known: known)
        losses.append(model(codes, mask).loss)
    first, second = (float(loss.detach()) for loss in losses)
    assert first == pytest.approx(float(model.eval()(codes, mask).loss.detach()), abs=1e-4)
    assert first != second
    assert second == pytest.approx(first, rel=0.02)
    losses[1].backward()
    assert all(weight.grad.dtype == torch.float32 for weight in model.parameters() if weight.grad is not None)


def test_checkpointing_gives_the_same_gradient(tiny_model, monkeypatch):
    model = build(tiny_model, dropout=0.2).train()
    codes, mask = histories()
    found, calls = [], []
    kept = whole.checkpoint
    monkeypatch.setattr(whole, "checkpoint", lambda *given, **more: calls.append(1) or kept(*given, **more))
    for on in (False, True):
        for block in [*model.t5.encoder.block, *model.t5.decoder.block]:
            block.gradient_checkpointing = on
        torch.manual_seed(0)
        model.zero_grad()
        model(codes, mask).loss.backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
        assert len(calls) == 4 * on
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name)


def test_pairs_of_a_network_that_could_read_whole_histories_have_one_target(tiny_model):
    from genrec.data.histories import Histories

    model = build(tiny_model)
    items = torch.tensor(list(itertools.product(*(range(size) for size in SIZES))))[::5].numpy()
    given = Histories.from_lists([[3, 9, 1, 7], [2, 5]])
    pairs, windows = (HistoryExamples(given, 20, prefixes=prefixes) for prefixes in (True, False))
    read = CodeCollator(items)
    batch = NewestTargets(read)([pairs[row] for row in range(len(pairs))])
    assert batch["target_mask"].sum(1).tolist() == [1] * 6
    with torch.no_grad():
        each = model(**batch)
        whole_ones = model(**read([windows[row] for row in range(len(windows))]))
    assert int(each.n_targets) == int(whole_ones.n_targets) == 6
    torch.testing.assert_close(each.loss, whole_ones.loss, atol=1e-5, rtol=1e-5)


def test_the_way_of_attention_is_kept_and_networks_of_before_see_everything(tiny_model, tmp_path):
    model = build(tiny_model)
    model.save_pretrained(tmp_path)
    assert load_model(tmp_path).config.history_attention == "item-causal"
    content = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    del content["history_attention"]
    (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
    old = load_model(tmp_path)
    assert old.pairs_only
    assert not model.pairs_only
    codes, mask = histories()
    with torch.no_grad():
        assert not torch.allclose(old.eval().step(old.prefill(codes, mask)), model.step(model.prefill(codes, mask)))
    content["history_attention"] = "sideways"
    (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ArtifactError, match="history_attention"):
        load_model(tmp_path)
