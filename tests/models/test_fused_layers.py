"""Layers that compute in fewer passes while they are trained: same numbers, same chances, and stock code elsewhere."""

import copy

import pytest
import torch
from torch import nn
from transformers import DynamicCache

from genrec.models import fused_layers
from genrec.models.parts import build_backbone, set_dropout

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8}


def backbone(kind="qwen3", groups=4, dropout=0.0):
    torch.manual_seed(0)
    return build_backbone({"model_type": kind, "num_key_value_heads": groups, **SIZES}, dropout).train()


def stock(model):
    """The same weights in transformers' own code."""
    twin = copy.deepcopy(model)
    for module in twin.modules():
        module.__dict__.pop("forward", None)
    return twin


def read(model, n=9, users=5, mask=None):
    torch.manual_seed(1)
    inputs = torch.randn(users, n, 32, requires_grad=True)
    places = torch.arange(n).expand(users, n).clone()
    places[2] += 3
    hidden = model(inputs_embeds=inputs, attention_mask=mask, position_ids=places, use_cache=False).last_hidden_state
    hidden.mul(torch.linspace(-1, 1, 32)).pow(2).sum().backward()
    weights = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return {"hidden": hidden.detach(), "inputs": inputs.grad, **weights}


def agree(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, wanted in theirs.items():
        torch.testing.assert_close(ours[name], wanted, rtol=1e-4, atol=2e-6 * float(wanted.abs().max()), msg=name)


def count_calls(monkeypatch):
    calls = []
    kernels = fused_layers._kernels()
    monkeypatch.setattr(fused_layers, "_kernels", lambda: calls.append(1) or kernels)
    return calls


@pytest.mark.parametrize(("kind", "groups"), [("qwen3", 4), ("qwen3", 2), ("llama", 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_states_and_all_gradients_are_those_of_the_stock_layers(kind, groups, masked, monkeypatch):
    model = backbone(kind, groups)
    mask = None
    if masked:
        hidden = torch.ones(9, 9, dtype=torch.bool).triu(1).repeat(5, 1, 1)
        hidden[1, 2:, 1] = True
        mask = torch.zeros(5, 1, 9, 9).masked_fill_(hidden[:, None], torch.finfo(torch.float32).min)
    theirs = read(stock(model), mask=mask)
    calls = count_calls(monkeypatch)
    ours = read(model, mask=mask)
    assert calls
    agree(ours, theirs)


def test_a_bias_that_hides_nothing_is_added():
    model = backbone()
    bias = torch.randn(1, 1, 9, 9)
    agree(read(model, mask=bias), read(stock(model), mask=bias))


@pytest.mark.parametrize("users", [1, 3, 70])
def test_any_number_of_rows(users):
    model = backbone(groups=2)
    agree(read(model, users=users if users > 2 else 3), read(stock(model), users=users if users > 2 else 3))


def test_dropout_keeps_its_share_and_its_mean_and_repeats_with_the_seed():
    x = torch.ones(2000, 96)
    torch.manual_seed(3)
    first, second = (fused_layers.dropout(x, 0.3, True) for _ in range(2))
    torch.manual_seed(3)
    again = fused_layers.dropout(x, 0.3, True)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    for drawn in (first, second):
        assert set(drawn.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.7))}
        assert abs(float((drawn == 0).float().mean()) - 0.3) < 0.005
        assert float((drawn == 0).float().mean(0).sub(0.3).abs().max()) < 0.06  # no column is special
    both = float(((first == 0) & (second == 0)).float().mean())
    assert abs(both - 0.09) < 0.004  # draws know nothing of one another
    neighbours = float(((first[:, 1:] == 0) & (first[:, :-1] == 0)).float().mean())
    assert abs(neighbours - 0.09) < 0.004


def test_dropout_passes_gradients_where_it_passed_values():
    x = torch.randn(50, 32, requires_grad=True)
    out = fused_layers.dropout(x, 0.5, True)
    out.sum().backward()
    assert torch.equal(x.grad, torch.where(out == 0, 0.0, 2.0))


def test_layers_drop_what_their_blocks_give():
    model = backbone(dropout=0.5)
    torch.manual_seed(0)
    inputs = torch.randn(4, 6, 32)
    quiet, loud = (model(inputs_embeds=inputs, use_cache=False).last_hidden_state for _ in range(2))
    assert not torch.equal(quiet, loud)
    set_dropout(model, 0.0)
    agree(read(model), read(stock(model)))


@pytest.mark.parametrize("case", ["evaluation", "no gradients", "long", "autocast", "a hook", "an adapter", "float64"])
def test_everything_else_goes_through_the_stock_code(case, monkeypatch):
    model, n = backbone(), 9
    layer = model.layers[0]
    if case == "a hook":
        for layer in model.layers:
            layer.mlp.up_proj.register_forward_hook(lambda module, inputs, output: output * 2)
    if case == "an adapter":
        for layer in model.layers:
            layer.mlp.up_proj = nn.Sequential(layer.mlp.up_proj)
    if case == "evaluation":
        model.eval()
    if case == "float64":
        model.double()
    if case == "long":
        n = fused_layers._LONGEST + 1
    inputs = torch.randn(2, n, 32, dtype=model.dtype)
    monkeypatch.setattr(model.norm, "forward", type(model.norm).forward.__get__(model.norm))
    calls = count_calls(monkeypatch)
    with torch.autocast("cpu", enabled=case == "autocast"), torch.set_grad_enabled(case != "no gradients"):
        model(inputs_embeds=inputs, use_cache=False)
    assert not calls
    if case != "autocast":
        expected = stock(model)(inputs_embeds=inputs, use_cache=False).last_hidden_state
        torch.testing.assert_close(model(inputs_embeds=inputs, use_cache=False).last_hidden_state, expected)


def test_a_copy_trains_its_own_weights():
    model = backbone()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.layers[0].mlp.down_proj.weight.zero_()
    agree(read(twin), read(stock(twin)))
    assert not torch.equal(read(twin)["hidden"], read(model)["hidden"])


@pytest.mark.parametrize(("kind", "groups"), [("qwen3", 4), ("qwen3", 2), ("llama", 1)])
def test_answers_are_those_of_the_stock_layers(kind, groups):
    """A history with padding, then columns that see some of it and of themselves: what a search asks for."""
    model = backbone(kind, groups, dropout=0.5).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    ours, theirs = (answers(one) for one in (model, stock(model)))
    assert len(ours) == len(theirs) == 5
    for found, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=2e-5)


def answers(model):
    """States of prefixes with and without a cache and a mask, of beams behind one, and of more columns behind one."""
    torch.manual_seed(5)
    first, beams, last = torch.randn(3, 6, 32), torch.randn(3, 4, 32), torch.randn(3, 1, 32)
    smallest = torch.finfo(torch.float32).min
    mask = torch.zeros(3, 1, 6, 6).masked_fill_(torch.ones(6, 6, dtype=torch.bool).triu(1), smallest)
    mask[1, :, 2:, 1] = smallest
    behind = torch.zeros(3, 1, 4, 10).masked_fill_(~torch.eye(10, dtype=torch.bool)[6:], smallest)
    behind[..., :6] = 0
    cache, plain = DynamicCache(), DynamicCache()
    with torch.inference_mode():
        return [
            model(inputs_embeds=first, use_cache=False).last_hidden_state,
            model(inputs_embeds=first, attention_mask=mask, past_key_values=cache).last_hidden_state,
            model(
                inputs_embeds=beams,
                attention_mask=behind,
                position_ids=torch.full((3, 4), 6),
                past_key_values=cache,
            ).last_hidden_state,
            model(inputs_embeds=last, past_key_values=plain).last_hidden_state,
            model(inputs_embeds=first, past_key_values=plain).last_hidden_state,
        ]


@pytest.mark.parametrize("case", ["gradients", "training", "float64", "a hook", "an adapter"])
def test_what_is_more_than_a_plain_answer_goes_through_the_stock_code(case, monkeypatch):
    model = backbone().eval()
    if case == "training":
        model.train()
    if case == "float64":
        model.double()
    if case == "a hook":
        for layer in model.layers:
            layer.mlp.up_proj.register_forward_hook(lambda module, inputs, output: output * 2)
    if case == "an adapter":
        for layer in model.layers:
            layer.mlp.up_proj = nn.Sequential(layer.mlp.up_proj)
    inputs, calls = torch.randn(2, 5, 32, dtype=model.dtype), []
    real = fused_layers.answer
    monkeypatch.setattr(fused_layers, "answer", lambda *given: calls.append(1) or real(*given))
    monkeypatch.setattr(model.norm, "forward", type(model.norm).forward.__get__(model.norm))
    with torch.set_grad_enabled(case == "gradients"):
        found = model(inputs_embeds=inputs, use_cache=False).last_hidden_state
        wanted = stock(model)(inputs_embeds=inputs, use_cache=False).last_hidden_state
    assert not calls
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=2e-5)
